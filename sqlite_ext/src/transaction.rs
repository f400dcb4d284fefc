//! Writing: in the host's transaction if it has one, else in one of our own.

use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::engine::db::TransactionState;
use crate::errors::Result;
use crate::schema;
use crate::statements::Query;
use crate::store::Store;
use crate::undo::{Savepoint, Undo};

/// Does `work` with the write lock of the store's database held, so that what it reads stays true until it has
/// written. In the host's transaction it follows the host's commit or rollback; else it is committed here.
///
/// `work` must leave nothing behind when it fails: its last statement is its only one that writes. `write_all` is for
/// any other.
pub fn write<T>(connection: &Rc<Connection>, store: &Rc<Store>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    if is_hosted(connection) {
        lock(connection, store)?;
        return work();
    }
    in_own(connection, store, work)
}

/// The same for `work` that writes more than once: it is done wholly, or undone.
pub fn write_all<T>(connection: &Rc<Connection>, store: &Rc<Store>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    if is_hosted(connection) {
        lock(connection, store)?;
        return all_or_nothing(connection, store, work);
    }
    in_own(connection, store, work)
}

/// Whether the host has a transaction. In autocommit a statement of the host's that writes has one, too, and it cannot
/// be committed before the statement's end.
fn is_hosted(connection: &Connection) -> bool {
    end_left_transaction(connection);
    !connection.db.is_autocommit() || connection.db.transaction_state(None) == TransactionState::Write
}

/// Rolls back a transaction of our own that an interrupt has kept from being rolled back.
pub fn end_left_transaction(connection: &Connection) {
    if connection.has_left_transaction.take() && !connection.db.is_autocommit() {
        drop(connection.db.execute("ROLLBACK", &[]));
    }
}

fn in_own<T>(connection: &Rc<Connection>, store: &Rc<Store>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let mut undo = Undo::prepare(connection, store)?;
    // Interrupted right behind it, it has begun.
    let begun = run(connection, Query::Begin).and_then(|()| lock(connection, store));
    let worked = begun.and_then(|()| {
        undo.locked();
        work()
    });
    let result = worked.and_then(|value| {
        // With the write lock held nobody can write in between: a reader is all that a commit waits for.
        retrying(connection, || true, || commit(connection))?;
        Ok(value)
    });
    if result.is_err() {
        undo.run();
    }
    result
}

/// Commits. Interrupted before, SQLite leaves the transaction open; interrupted behind, it is committed.
fn commit(connection: &Rc<Connection>) -> Result<()> {
    match run(connection, Query::Commit) {
        Err(failure) if failure.is_interrupt() && connection.db.is_autocommit() => Ok(()),
        committed => committed,
    }
}

/// Undoes what `work` has written when it fails. In a transaction of our own that is the rollback's doing: a savepoint
/// makes SQLite keep a copy of every page, which takes as long as the writing.
fn all_or_nothing<T>(connection: &Rc<Connection>, store: &Rc<Store>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let Some(savepoint) = Savepoint::set(connection, store)? else {
        let last = last_global_position(connection, store)?;
        let mut delete = connection.statement(store, Query::DeleteAfter)?;
        let result = work();
        if result.is_err() {
            delete.execute(&[last.into()])?;
        }
        return result;
    };
    match work() {
        Ok(value) => savepoint.keep().map(|()| value),
        Err(failure) => {
            savepoint.undo();
            Err(failure)
        }
    }
}

/// The highest global position that was ever given out, 0 for none.
fn last_global_position(connection: &Rc<Connection>, store: &Rc<Store>) -> Result<i64> {
    Ok(connection.whole(store, Query::LastGlobalPosition, &[])?.unwrap_or(0))
}

/// Takes the write lock before anything is read: a snapshot that another writer has made old cannot be written on,
/// however long one waits. A store that is not there yet is created, one of an older version upgraded.
pub fn lock(connection: &Rc<Connection>, store: &Rc<Store>) -> Result<()> {
    let db = connection.db;
    if store.is_checked.get() && db.transaction_state(Some(&store.schema)) == TransactionState::Write {
        return Ok(());
    }
    match connection.execute(store, Query::Lock, &[]) {
        Err(failure) if failure.is_missing_table() && store.is_default() => {
            store.is_checked.set(false);
            schema::create(connection, store)?;
        }
        locked => locked?,
    }
    schema::make_current(connection, store)
}

/// Runs a statement that needs no parameters.
fn run(connection: &Rc<Connection>, query: Query) -> Result<()> {
    connection.execute(&connection.main, query, &[])
}

/// Tries again while another connection holds a lock, where the host would not wait at all.
///
/// `attempt` leaves nothing behind when it fails. With a snapshot held waiting cannot help.
pub fn waiting<T>(connection: &Rc<Connection>, attempt: impl FnMut() -> Result<T>) -> Result<T> {
    retrying(connection, || connection.db.transaction_state(None) == TransactionState::None, attempt)
}

/// A host's own timeout or handler has waited before a failure is seen here.
fn retrying<T>(
    connection: &Rc<Connection>,
    may_help: impl Fn() -> bool,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let mut deadline = None;
    let mut pause = Duration::from_millis(1);
    loop {
        let failure = match attempt() {
            Err(failure) if failure.is_busy() => failure,
            result => return result,
        };
        if !may_help() || host_waits(connection) {
            return Err(failure);
        }
        let now = Instant::now();
        if *deadline.get_or_insert_with(|| now + connection.busy_timeout()) <= now {
            return Err(failure);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(25));
    }
}

fn host_waits(connection: &Connection) -> bool {
    let timeout = connection.db.query("PRAGMA busy_timeout", &[], |row| row.integer(0));
    !matches!(timeout, Ok(Some(0)))
}
