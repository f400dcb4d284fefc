//! The URL that names a store.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{TypedValueParser, ValueParserFactory};
use clap::error::ErrorKind;
use clap::{Arg, Command};

/// A store.
#[derive(Debug, Clone)]
pub struct Location {
    /// What it is in.
    pub engine: Engine,
    /// Its namespace, where it is not the default one.
    pub namespace: Option<String>,
    shown: String,
}

/// What a store is in.
#[derive(Debug, Clone)]
pub enum Engine {
    /// Message Store in Postgres; libpq's key words.
    Postgres(BTreeMap<String, String>),
    /// Genuine Message DB; libpq's key words.
    MessageDb(BTreeMap<String, String>),
    /// Message Store in an SQLite file.
    Sqlite(PathBuf),
}

/// libpq's key words that decide how a server is reached.
const KEY_WORDS: [&str; 12] = [
    "application_name",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "passfile",
    "password",
    "port",
    "service",
    "sslmode",
    "user",
];

/// Others that libpq knows, which have no meaning here, or only with a value that asks for what the program lacks.
const OTHER_KEY_WORDS: [&str; 38] = [
    "authtype",
    "channel_binding",
    "client_encoding",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "max_protocol_version",
    "min_protocol_version",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_issuer",
    "oauth_scope",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",
    "scram_client_key",
    "scram_server_key",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslkey",
    "sslnegotiation",
    "sslpassword",
    "sslrootcert",
    "sslsni",
    "tcp_user_timeout",
];

/// Whether libpq knows the key word.
pub fn is_key_word(key: &str) -> bool {
    KEY_WORDS.contains(&key) || OTHER_KEY_WORDS.contains(&key) || key == "target_session_attrs"
}

const FORMS: &str = "postgres://[user@][host][:port][/database][?namespace=NAME], sqlite:FILE[?namespace=NAME] or \
                     message-db://[user@][host][:port][/database]";

impl FromStr for Location {
    type Err = String;

    /// The errors repeat nothing that could be a part of a password.
    fn from_str(url: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = url.split_once(':') else { return Err(format!("a store is {FORMS}")) };
        let (body, query) = rest.split_once('?').unwrap_or((rest, ""));
        if query.contains('@') {
            return Err("a ? in a user's name or password is written %3F, and an @ in the query %40".to_owned());
        }
        let mut parameters = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or("a parameter of the query has no value")?;
            parameters.insert(decode(key)?, decode(value)?);
        }
        let namespace = parameters.remove("namespace");
        let engine = match scheme {
            "sqlite" => sqlite(body, &parameters)?,
            "postgres" | "postgresql" => Engine::Postgres(server(body, parameters)?),
            "message-db" if namespace.is_some() => return Err("Message DB has no namespaces".to_owned()),
            "message-db" => Engine::MessageDb(server(body, parameters)?),
            scheme if is_word(scheme) => {
                return Err(format!("unknown kind of store \"{scheme}\"; a store is {FORMS}"));
            }
            _ => return Err(format!("a store is {FORMS}")),
        };
        let shown = match &engine {
            Engine::Sqlite(_) => url.to_owned(),
            Engine::Postgres(parameters) | Engine::MessageDb(parameters) => {
                shown(scheme, parameters, namespace.as_deref())
            }
        };
        Ok(Self { engine, namespace, shown })
    }
}

/// Says what is wrong with a URL without repeating it, as clap by itself would.
#[derive(Clone)]
pub struct LocationParser;

impl ValueParserFactory for Location {
    type Parser = LocationParser;

    fn value_parser() -> LocationParser {
        LocationParser
    }
}

impl TypedValueParser for LocationParser {
    type Value = Location;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<Location, clap::Error> {
        let parsed = value.to_str().ok_or_else(|| "it is not UTF-8".to_owned()).and_then(str::parse);
        parsed.map_err(|error: String| {
            let name = argument.map(ToString::to_string).unwrap_or_default();
            let text = format!("invalid value for '{name}': {error}\n");
            clap::Error::raw(ErrorKind::ValueValidation, text).with_cmd(command)
        })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn sqlite(body: &str, parameters: &BTreeMap<String, String>) -> Result<Engine, String> {
    if let Some(key) = parameters.keys().next() {
        return Err(format!("unknown parameter \"{key}\""));
    }
    let path = decode(body.strip_prefix("//").unwrap_or(body))?;
    if path.is_empty() || path == ":memory:" {
        return Err("sqlite: needs the path of a file".to_owned());
    }
    Ok(Engine::Sqlite(path.into()))
}

fn server(body: &str, mut parameters: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
    if let Some(key) = parameters.keys().find(|key| !is_key_word(key)) {
        return Err(format!("unknown parameter \"{key}\""));
    }
    let body = body.strip_prefix("//").unwrap_or(body);
    let (authority, database) = body.split_once('/').unwrap_or((body, ""));
    if database.contains('@') {
        return Err("a / in a user's name or password is written %2F".to_owned());
    }
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (host, ""),
    };
    if !port.bytes().all(|byte| byte.is_ascii_digit() || byte == b',') {
        return Err("the port is no number".to_owned());
    }
    let host = host.trim_start_matches('[').trim_end_matches(']');
    for (key, value) in [("user", user), ("password", password), ("host", host), ("port", port), ("dbname", database)] {
        if !value.is_empty() {
            parameters.insert(key.to_owned(), decode(value)?);
        }
    }
    Ok(parameters)
}

/// Replaces every `%XX` by its byte.
fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or("no two hexadecimal digits after a %")?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| "what is written with % is not UTF-8".to_owned())
}

/// The URL as it may be printed: made of what is known to be no secret.
fn shown(scheme: &str, parameters: &BTreeMap<String, String>, namespace: Option<&str>) -> String {
    const IN_QUERY: [&str; 6] = ["application_name", "connect_timeout", "hostaddr", "options", "service", "sslmode"];
    let value = |key: &str| parameters.get(key).map_or("", String::as_str);
    let is_socket = value("host").starts_with('/');
    let mut text = format!("{scheme}://{}", value("user"));
    text.push_str(if parameters.contains_key("password") { ":***" } else { "" });
    text.push_str(if text.ends_with("//") { "" } else { "@" });
    text.push_str(if is_socket { "" } else { value("host") });
    for (sign, key) in [(':', "port"), ('/', "dbname")] {
        if !value(key).is_empty() {
            text.push(sign);
            text.push_str(value(key));
        }
    }
    let host = is_socket.then(|| ("host", value("host")));
    let others = IN_QUERY.iter().filter_map(|key| Some((*key, parameters.get(*key)?.as_str())));
    let namespace = namespace.map(|namespace| ("namespace", namespace));
    for (number, (key, value)) in host.into_iter().chain(others).chain(namespace).enumerate() {
        text.push_str(&format!("{}{key}={value}", if number == 0 { '?' } else { '&' }));
    }
    text
}

/// The text without what may be a password in one of the arguments, which it may repeat.
pub fn without_passwords(text: &str, arguments: impl Iterator<Item = String>) -> String {
    let values = arguments.flat_map(|argument| {
        let value = argument.split_once('=').map(|(_, value)| value.to_owned());
        [Some(argument), value].into_iter().flatten()
    });
    values.filter(|value| may_have_password(value)).fold(text.to_owned(), |text, value| {
        let scheme = value.split(':').next().filter(|scheme| is_word(scheme)).unwrap_or_default();
        text.replace(&value, &format!("{scheme}:***"))
    })
}

fn may_have_password(value: &str) -> bool {
    value.contains(':') && (value.contains('@') || value.contains('?') || value.contains('%'))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(url: &str) -> String {
        match url.parse::<Location>().expect("a location").engine {
            Engine::Postgres(parameters) | Engine::MessageDb(parameters) => format!("{parameters:?}"),
            Engine::Sqlite(path) => path.display().to_string(),
        }
    }

    #[test]
    fn a_url_has_every_part_or_none() {
        assert_eq!(
            parameters("postgres://ada:a%40b@db.example:6432/bank?connect_timeout=5&namespace=tenant-a"),
            r#"{"connect_timeout": "5", "dbname": "bank", "host": "db.example", "password": "a@b", "port": "6432", "user": "ada"}"#
        );
        assert_eq!(parameters("postgres:"), "{}");
        assert_eq!(parameters("postgres://"), "{}");
        assert_eq!(parameters("postgres:///bank?host=/run/db"), r#"{"dbname": "bank", "host": "/run/db"}"#);
        assert_eq!(parameters("message-db://[::1]:5433/m"), r#"{"dbname": "m", "host": "::1", "port": "5433"}"#);
        assert_eq!(parameters("sqlite:a/b%3F.db?namespace=x"), "a/b?.db");
        assert_eq!(parameters("sqlite:///tmp/a.db"), "/tmp/a.db");
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        for (url, problem) in [
            ("bank.db", "a store is"),
            ("mysql://x", "unknown kind of store \"mysql\""),
            ("postgres://h/d?colour=red", "unknown parameter \"colour\""),
            ("sqlite:", "needs the path"),
            ("sqlite:%zz", "hexadecimal"),
            ("message-db:?namespace=a", "no namespaces"),
        ] {
            let error = url.parse::<Location>().expect_err("refused");
            assert!(error.contains(problem), "{url}: {error}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        for (url, expected) in [
            ("postgres://ada:secret@h/d", "postgres://ada:***@h/d"),
            ("postgres:ada:secret@/d", "postgres://ada:***@/d"),
            ("postgres://ada:se@secret@h:6432/d?sslmode=disable", "postgres://ada:***@h:6432/d?sslmode=disable"),
            ("message-db://h/d?password=secret&user=ada", "message-db://ada:***@h/d"),
            ("postgres://h/d?pass%77ord=secret&namespace=n", "postgres://:***@h/d?namespace=n"),
            ("postgres:///d?host=/run/db&connect_timeout=5", "postgres:///d?host=/run/db&connect_timeout=5"),
            ("sqlite:a/b.db?namespace=n", "sqlite:a/b.db?namespace=n"),
        ] {
            assert_eq!(url.parse::<Location>().expect("a location").to_string(), expected);
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_a_password() {
        for url in [
            "mysql://ada:secret@h/d",
            "secret@h:5432/d",
            "postgres://ada:secret",
            "postgres://ada:sec/secret@h/d",
            "postgres://ada:sec?secret@h/d",
            "postgres://ada:%secret@h/d",
            "postgres://ada:%ffsecret@h/d",
            "postgres://h/d?password:secret",
            "postgres://ada:secret@h/d?colour=red",
        ] {
            let error = url.parse::<Location>().expect_err("refused");
            assert!(!error.contains("secret"), "{url}: {error}");
            let text = without_passwords(&format!("unexpected '{url}'"), [format!("--from={url}")].into_iter());
            assert!(!text.contains("secret") || !url.contains(['@', '?']), "{url}: {text}");
        }
    }
}
