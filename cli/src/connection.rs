//! How a Postgres server is reached: libpq's rules for key words, environment, service file and password file.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postgres::{Client, Config, NoTls};

use crate::location::is_key_word;

type Parameters = BTreeMap<String, String>;

/// The key words that the environment gives a value.
const VARIABLES: [(&str, &str); 12] = [
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGDATABASE", "dbname"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGPASSFILE", "passfile"),
    ("PGSERVICE", "service"),
    ("PGOPTIONS", "options"),
    ("PGAPPNAME", "application_name"),
    ("PGSSLMODE", "sslmode"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
];

/// Connects; `given` are the key words of the URL, which come first, then those of the service, of the environment,
/// and libpq's defaults.
pub fn connect(given: &Parameters) -> Result<Client, String> {
    let parameters = complete(given)?;
    let config = config(&parameters)?;
    config.connect(NoTls).map_err(|error| format!("cannot connect to {}: {}", shown(&parameters), reason(&error)))
}

/// What the driver says, with what lies under it.
pub fn reason(error: &postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        let detail = error.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
        return format!("{}{detail}", error.message());
    }
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn shown(parameters: &Parameters) -> String {
    let value = |key: &str| parameters.get(key).map_or("", String::as_str);
    format!("{}@{}:{}/{}", value("user"), value("host"), value("port"), value("dbname"))
}

fn complete(given: &Parameters) -> Result<Parameters, String> {
    let mut parameters = given.clone();
    let environment: Parameters = VARIABLES
        .iter()
        .filter_map(|(variable, key)| Some(((*key).to_owned(), env::var(variable).ok()?)))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    if let Some(service) = parameters.get("service").or_else(|| environment.get("service")).cloned() {
        add_missing(&mut parameters, service_parameters(&service)?);
    }
    add_missing(&mut parameters, environment);
    let user = env::var("USER").or_else(|_| env::var("LOGNAME")).unwrap_or_else(|_| "postgres".to_owned());
    let user = parameters.entry("user".to_owned()).or_insert(user).clone();
    parameters.entry("dbname".to_owned()).or_insert(user);
    parameters.entry("port".to_owned()).or_insert_with(|| "5432".to_owned());
    if !parameters.contains_key("hostaddr") {
        let debian = "/var/run/postgresql";
        let default = if Path::new(debian).is_dir() { debian } else { "/tmp" };
        parameters.entry("host".to_owned()).or_insert_with(|| default.to_owned());
    }
    if !parameters.contains_key("password")
        && let Some(password) = password_of_file(&parameters)
    {
        parameters.insert("password".to_owned(), password);
    }
    Ok(parameters)
}

fn add_missing(parameters: &mut Parameters, others: Parameters) {
    for (key, value) in others {
        parameters.entry(key).or_insert(value);
    }
}

fn home() -> PathBuf {
    env::var_os("HOME").map(PathBuf::from).unwrap_or_default()
}

/// The section of the service in the user's file, else in the system's.
fn service_parameters(service: &str) -> Result<Parameters, String> {
    let own = env::var_os("PGSERVICEFILE").map_or_else(|| home().join(".pg_service.conf"), PathBuf::from);
    let system = env::var_os("PGSYSCONFDIR").map_or_else(|| PathBuf::from("/etc/postgresql-common"), PathBuf::from);
    for file in [own, system.join("pg_service.conf")] {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        if let Some(parameters) = section(&text, service).map_err(|e| format!("{}: {e}", file.display()))? {
            return Ok(parameters);
        }
    }
    Err(format!("definition of service \"{service}\" not found"))
}

fn section(text: &str, service: &str) -> Result<Option<Parameters>, String> {
    let mut found: Option<Parameters> = None;
    let lines = (1..).zip(text.lines().map(str::trim));
    for (number, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            if found.is_some() {
                break;
            }
            found = (name == service).then(Parameters::new);
        } else if let Some(parameters) = &mut found {
            let (key, value) = line.split_once('=').ok_or_else(|| format!("line {number} has no value"))?;
            if !is_key_word(key.trim()) {
                return Err(format!("unknown key word \"{}\"", key.trim()));
            }
            parameters.insert(key.trim().to_owned(), value.trim().to_owned());
        }
    }
    Ok(found)
}

/// The password of the first line of the password file that fits. As libpq does, a file that others may read is
/// passed over, with a word on it.
fn password_of_file(parameters: &Parameters) -> Option<String> {
    let file = parameters.get("passfile").map_or_else(|| home().join(".pgpass"), PathBuf::from);
    let mode = fs::metadata(&file).ok()?.mode();
    if mode & 0o077 != 0 {
        eprintln!("WARNING: password file \"{}\" has group or world access; it is not used", file.display());
        return None;
    }
    let text = fs::read_to_string(&file).ok()?;
    let host = parameters.get("host").or_else(|| parameters.get("hostaddr"))?;
    let is_default_socket = host.starts_with("/var/run/postgresql") || host == "/tmp";
    let hosts: Vec<&str> = if is_default_socket { vec![host, "localhost"] } else { vec![host] };
    let wanted = ["port", "dbname", "user"].map(|key| parameters.get(key).map_or("", String::as_str));
    password(&text, &hosts, wanted)
}

fn password(text: &str, hosts: &[&str], wanted: [&str; 3]) -> Option<String> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line);
        let [host, port, database, user, password] = fields.as_slice() else { return None };
        let fits = |field: &str, value: &str| field == "*" || field == value;
        let is_host = hosts.iter().any(|value| fits(host, value));
        let is_rest = [port, database, user].iter().zip(wanted).all(|(field, value)| fits(field, value));
        (is_host && is_rest).then(|| password.clone())
    })
}

/// The fields of a line of the password file: `:` divides, `\` takes the next character as it is.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let divides = character == ':' && fields.len() < 5;
        if divides {
            fields.push(String::new());
            continue;
        }
        let character = if character == '\\' { characters.next() } else { Some(character) };
        if let (Some(field), Some(character)) = (fields.last_mut(), character) {
            field.push(character);
        }
    }
    fields
}

fn config(parameters: &Parameters) -> Result<Config, String> {
    let mut config = Config::new();
    let value = |key: &str| parameters.get(key).filter(|value| !value.is_empty());
    for host in value("host").iter().flat_map(|hosts| hosts.split(',')) {
        config.host(host);
    }
    for address in value("hostaddr").iter().flat_map(|addresses| addresses.split(',')) {
        config.hostaddr(address.parse().map_err(|_| format!("hostaddr \"{address}\" is no address"))?);
    }
    for port in value("port").iter().flat_map(|ports| ports.split(',')) {
        config.port(port.parse().map_err(|_| "the port is no number".to_owned())?);
    }
    if let Some(user) = value("user") {
        config.user(user);
    }
    if let Some(password) = value("password") {
        config.password(password);
    }
    if let Some(database) = value("dbname") {
        config.dbname(database);
    }
    if let Some(options) = value("options") {
        config.options(options);
    }
    config.application_name(value("application_name").map_or("message-store", String::as_str));
    if let Some(seconds) = value("connect_timeout") {
        let seconds = seconds.parse().map_err(|_| format!("connect_timeout \"{seconds}\" is no number of seconds"))?;
        config.connect_timeout(Duration::from_secs(seconds));
    }
    // What somebody has made a condition is not passed over.
    for key in ["channel_binding", "gssencmode"] {
        if value(key).is_some_and(|mode| mode == "require") {
            return Err(format!("{key} require is not to be had with this program; connect through a tunnel"));
        }
    }
    for key in ["require_auth", "requirepeer"] {
        if value(key).is_some() {
            return Err(format!("{key} is not checked by this program; connect without it"));
        }
    }
    match value("sslmode").map(String::as_str) {
        None | Some("disable" | "allow" | "prefer") => Ok(config),
        Some(mode) => Err(format!("sslmode {mode} needs TLS, which this program lacks; connect through a tunnel")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_a_section() {
        let text =
            "# c\n[a]\nhost=one\n\n[b]\nhost = two\nport=6\n[c]\nhost=three\nsslrootcert=/ca\ngssencmode=prefer\n";
        let found = section(text, "b").expect("valid").expect("found");
        assert_eq!(format!("{found:?}"), r#"{"host": "two", "port": "6"}"#);
        assert_eq!(section(text, "d"), Ok(None));
        assert!(config(&section(text, "c").expect("valid").expect("found")).is_ok());
        for demand in ["gssencmode=require", "channel_binding=require", "requirepeer=ada", "sslmode=verify-full"] {
            let parameters = section(&format!("[a]\n{demand}"), "a").expect("valid").expect("found");
            assert!(config(&parameters).is_err(), "{demand}");
        }
        assert!(section("[a]\ncolour=red", "a").is_err());
    }

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        let text = "#h:1:d:u:no\nh:1:d:other:no\nh:*:d:u:a\\:b\\\\c:d\n*:*:*:*:last\n";
        assert_eq!(password(text, &["h"], ["1", "d", "u"]).as_deref(), Some("a:b\\c:d"));
        assert_eq!(password(text, &["x"], ["1", "d", "u"]).as_deref(), Some("last"));
        assert_eq!(password("h:1:d:u:p", &["x"], ["1", "d", "u"]), None);
    }
}
