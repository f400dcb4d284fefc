//! The URL that names a store.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

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

/// libpq's key words that a URL or a service may have.
pub const KEY_WORDS: [&str; 12] = [
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

const FORMS: &str = "postgres://[user@][host][:port][/database][?namespace=NAME], sqlite:FILE[?namespace=NAME] or \
                     message-db://[user@][host][:port][/database]";

impl FromStr for Location {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = url.split_once(':') else { return Err(format!("a store is {FORMS}")) };
        let (body, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut parameters = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or_else(|| format!("no value in \"{pair}\""))?;
            parameters.insert(decode(key)?, decode(value)?);
        }
        let namespace = parameters.remove("namespace");
        let engine = match scheme {
            "sqlite" => sqlite(body, &parameters)?,
            "postgres" | "postgresql" => Engine::Postgres(server(body, parameters)?),
            "message-db" if namespace.is_some() => return Err("Message DB has no namespaces".to_owned()),
            "message-db" => Engine::MessageDb(server(body, parameters)?),
            _ => return Err(format!("unknown kind of store \"{scheme}\"; a store is {FORMS}")),
        };
        Ok(Self { engine, namespace, shown: without_password(url) })
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
    if let Some(key) = parameters.keys().find(|key| !KEY_WORDS.contains(&key.as_str())) {
        return Err(format!("unknown parameter \"{key}\""));
    }
    let body = body.strip_prefix("//").unwrap_or(body);
    let (authority, database) = body.split_once('/').unwrap_or((body, ""));
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (host, ""),
    };
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
        bytes.push(byte.ok_or_else(|| format!("no two hexadecimal digits after % in \"{text}\""))?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| format!("\"{text}\" is not UTF-8"))
}

/// The URL as it may be printed.
fn without_password(url: &str) -> String {
    let mut shown = url.to_owned();
    if let Some(at) = shown.find('@')
        && let Some(scheme) = shown.find("//")
        && let Some(colon) = shown[..at].rfind(':').filter(|colon| *colon > scheme)
    {
        shown.replace_range(colon + 1..at, "***");
    }
    if let Some(start) = shown.find("password=") {
        let start = start + "password=".len();
        let end = shown[start..].find('&').map_or(shown.len(), |end| start + end);
        shown.replace_range(start..end, "***");
    }
    shown
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
        for url in ["postgres://ada:secret@h/d", "postgres://h/d?password=secret&user=ada"] {
            let shown = url.parse::<Location>().expect("a location").to_string();
            assert!(!shown.contains("secret") && shown.contains("***"), "{shown}");
        }
    }
}
