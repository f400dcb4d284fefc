//! Storing many messages in one call.

use std::ffi::CString;
use std::rc::Rc;

use message_store_core::Error;

use crate::connection::Connection;
use crate::engine::statement::{Parameter, Statement};
use crate::errors::{Failure, Result};
use crate::statements::Query;
use crate::store::Store;

/// The place of the id among a row's values, in each of the statements.
const ID: usize = 6;

/// The statements that store fifty messages, ten, or one. A statement opens the table and each index anew and counts the
/// positions given out, so that ten messages take seven tenths of the instructions of ten statements, and fifty a tenth less again.
///
/// But it can fail halfway, so SQLite keeps a copy of every page that it changes. With random ids each is in a page of its
/// own, and the copies take longer than all that is saved: those are stored one by one.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // as many as each says
pub struct Statements {
    pub fifty: Query,
    pub ten: Query,
    pub one: Query,
}

/// A stream's name as the statements take it: the category is made of it, by functions. NULL is refused.
pub fn stream_name(name: Option<&[u8]>) -> Result<CString> {
    let name = name.ok_or(Error::NullValue("stream_name"))?;
    // No argument has a zero byte.
    CString::new(name).map_err(|_| Error::InvalidEncoding("0x00".to_owned()).into())
}

/// Stores rows in their order, and tells the global position of each. After a failure some may be stored.
pub fn insert_all<const N: usize>(
    connection: &Rc<Connection>,
    store: &Rc<Store>,
    statements: Statements,
    mut rows: &[[Parameter<'_>; N]],
    mut stored_at: impl FnMut(i64),
) -> Result<()> {
    let mut one = None;
    let mut several = [(50, statements.fifty, None), (10, statements.ten, None)];
    while !rows.is_empty() {
        let with_several = several.iter_mut().find_map(|(size, query, statement)| {
            let (some, rest) = rows.split_at_checked(*size).filter(|(some, _)| are_near(some))?;
            // Hosts may allow fewer parameters.
            let statement = statement.get_or_insert_with(|| connection.statement(store, *query).ok()).as_mut()?;
            Some((statement, some, rest))
        });
        let (statement, some, rest) = match with_several {
            Some(with_several) => with_several,
            None => {
                let (some, rest) = rows.split_at(1);
                let statement = match &mut one {
                    Some(one) => one,
                    none => none.insert(connection.statement(store, statements.one)?),
                };
                (statement, some, rest)
            }
        };
        insert(connection, store, statement, some, &mut stored_at)?;
        rows = rest;
    }
    Ok(())
}

/// Whether the ids begin alike, as those of version 7 do that were made within a minute.
fn are_near<const N: usize>(rows: &[[Parameter<'_>; N]]) -> bool {
    rows.windows(2).all(|pair| match (pair[0][ID], pair[1][ID]) {
        (Parameter::Text(one), Parameter::Text(other)) => one.iter().zip(other).take(8).all(|(a, b)| a == b),
        _ => false,
    })
}

/// Stores as many rows as the statement takes.
fn insert<const N: usize>(
    connection: &Rc<Connection>,
    store: &Rc<Store>,
    statement: &mut Statement,
    rows: &[[Parameter<'_>; N]],
    mut stored_at: impl FnMut(i64),
) -> Result<()> {
    let db = connection.db;
    let before = db.total_changes();
    let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    stored(connection, store, statement.execute(rows.as_flattened()), count)?;
    // Several follow each other where no trigger of somebody's has stored anything, too.
    if count == 1 || i64::from(db.total_changes().wrapping_sub(before)) == count {
        let last = db.last_insert_rowid();
        (last - count + 1..=last).for_each(stored_at);
        return Ok(());
    }
    for row in rows {
        let position = connection.whole(store, Query::GlobalPosition, &[row[ID]])?;
        stored_at(position.ok_or_else(prevented)?);
    }
    Ok(())
}

/// The outcome of an insert of so many messages: a duplicate id in Postgres' words, and an error where a trigger of
/// somebody's has passed over a message, or put something else in its place.
pub fn stored(connection: &Connection, store: &Store, inserted: Result<()>, count: i64) -> Result<()> {
    match inserted {
        Ok(()) if connection.db.changes() != count => Err(prevented()),
        // Which id it is belongs to the error's detail, which SQLite's errors do not have.
        Err(failure) if failure.breaks_unique(&format!("{}messages.id", store.prefix)) => {
            Err(Error::DuplicateId(String::new()).into())
        }
        inserted => inserted,
    }
}

fn prevented() -> Failure {
    Failure::new(rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER, "Message was not stored: a trigger prevents it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statements_for_several_take_as_many() {
        for (one, ten, fifty) in [
            (Query::Insert, Query::Insert10, Query::Insert50),
            (Query::InsertImport, Query::Insert10Imports, Query::Insert50Imports),
        ] {
            let values = |query: Query| query.text().matches('?').count();
            assert_eq!((values(ten), values(fifty)), (values(one) * 10, values(one) * 50));
        }
    }
}
