//! The `condition` argument: SQL that the caller adds to a read's filter.

use std::rc::Rc;

use crate::connection::Connection;
use crate::errors::{Failure, Result};
use crate::message_rows::Source;
use crate::statements::Query;
use crate::store::Store;

/// The statement of a read, with the condition in its filter. One with a condition is prepared for this read alone.
///
/// As in Message DB the condition may name the read's own parameters: `$1` the stream or category, `$2` the position,
/// `$3` the batch size.
pub fn source(
    connection: &Rc<Connection>,
    store: &Rc<Store>,
    query: Query,
    condition: Option<&[u8]>,
) -> Result<Source> {
    let Some(condition) = condition else { return connection.statement(store, query).map(Source::Kept) };
    let invalid = |_| Failure::new(rusqlite::ffi::SQLITE_ERROR, "the condition is not UTF-8");
    let condition = format!("AND ({})\n", std::str::from_utf8(condition).map_err(invalid)?);
    let template = query.template().replace("?1", "$1").replace("?2", "$2");
    let sql = store.sql_with_condition(&template, &condition);
    connection.db.prepare(sql.as_bytes()).map(Source::Own)
}
