//! `set_config` and `current_setting` for the names `message_store.*`, so that the same SQL sets them on both engines.
//!
//! A setting belongs to the connection. The debug settings are kept and have no effect: SQLite has no channel for
//! notices.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use message_store_core::{Error, arguments};

use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::scalar::{Answer, Purity, Scalar};
use crate::errors::Result;

/// The functions of this module.
pub const FUNCTIONS: [Scalar; 2] = [
    Scalar { name: "set_config", arguments: (3, 3), purity: Purity::Direct, work: set_config },
    Scalar { name: "current_setting", arguments: (1, 2), purity: Purity::Direct, work: current_setting },
];

const PREFIX: &str = "message_store.";
const SQL_CONDITION: &str = "message_store.sql_condition";
const BUSY_TIMEOUT: &str = "message_store.busy_timeout";

/// How long a writer waits for another one when the host has set no timeout.
const DEFAULT_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The settings of a connection, by name.
#[derive(Debug, Default)]
pub struct Settings {
    values: BTreeMap<String, String>,
    /// Those set for the transaction only, with what they are after it.
    before_transaction: BTreeMap<String, String>,
}

impl Settings {
    fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// After a transaction, puts back what was set for it only. As in Postgres a name that was not set then is empty.
    fn end_transaction(&mut self) {
        self.values.append(&mut self.before_transaction);
    }
}

impl Connection {
    /// Whether a condition may be added to a read's filter.
    pub fn conditions_are_activated(&self) -> bool {
        self.setting(SQL_CONDITION, |value| arguments::condition_is_activated(value.map(str::as_bytes)))
    }

    /// How long a writer waits when the host has set no timeout.
    pub fn busy_timeout(&self) -> Duration {
        self.setting(BUSY_TIMEOUT, |value| {
            value.and_then(|value| value.parse().ok()).map_or(DEFAULT_BUSY_TIMEOUT, Duration::from_millis)
        })
    }

    fn setting<T>(&self, name: &str, read: impl FnOnce(Option<&str>) -> T) -> T {
        let mut settings = self.settings.borrow_mut();
        if self.db.is_autocommit() {
            settings.end_transaction();
        }
        read(settings.get(name))
    }
}

/// The name as it is kept: Postgres' names of settings have no case.
fn name(argument: &[u8]) -> Result<String> {
    let given = String::from_utf8_lossy(argument);
    let name = given.to_ascii_lowercase();
    match name.strip_prefix(PREFIX) {
        Some(rest) if !rest.is_empty() => Ok(name),
        _ => Err(Error::UnknownSetting(given.into_owned()).into()),
    }
}

/// `set_config(name, value, is_local)`: the value. One that is local is gone after the transaction.
fn set_config<'a>(connection: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    let name = name(arguments.text(0).ok_or(Error::NullSettingName)?)?;
    let value = arguments.text(1).map(String::from_utf8_lossy).unwrap_or_default().into_owned();
    let is_local = arguments.boolean(2)?.unwrap_or(false);
    let mut settings = connection.settings.borrow_mut();
    if connection.db.is_autocommit() {
        settings.end_transaction();
        if is_local {
            // Its transaction is this statement: all that is left of it is that the name is known.
            settings.values.entry(name).or_default();
            return Ok(value.into());
        }
    }
    if is_local {
        let before = settings.get(&name).unwrap_or_default().to_owned();
        settings.before_transaction.entry(name.clone()).or_insert(before);
    } else {
        settings.before_transaction.remove(&name);
    }
    settings.values.insert(name, value.clone());
    Ok(value.into())
}

/// `current_setting(name, missing_ok)`: the value. One that was never set is NULL or an error. As in Postgres, a NULL gives
/// NULL.
fn current_setting<'a>(connection: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    let missing_ok = if arguments.count() > 1 { arguments.boolean(1)? } else { Some(false) };
    let (Some(given), Some(missing_ok)) = (arguments.text(0), missing_ok) else { return Ok(Answer::Null) };
    match connection.setting(&name(given)?, |value| value.map(str::to_owned)) {
        None if !missing_ok => Err(Error::UnknownSetting(String::from_utf8_lossy(given).into_owned()).into()),
        value => Ok(value.into()),
    }
}
