//! The versions of streams as this connection's writes have left them: to look one up takes a tenth of a write.
//!
//! They are used only where nobody can have changed them since. In a transaction of the host's, that is until anything of
//! it is rolled back, or anything but an append of our own has changed a row. Outside, until anybody commits.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use message_store_core::expected_version::NO_STREAM;
use rustc_hash::FxHashMap;

use crate::connection::Connection;
use crate::errors::Result;
use crate::statements::Query;
use crate::store::Store;
use crate::stream_version::stream_version;

/// How many streams of a store are known at the most, and how many bytes of a name.
const KEPT: usize = 1_000;
const LONGEST: usize = 250;

/// A stream's version, for whoever appends to it.
type Known = Rc<Cell<i64>>;

/// The versions of a store's streams.
#[derive(Debug, Default)]
pub struct Versions {
    state: Cell<Option<State>>,
    streams: RefCell<FxHashMap<Box<[u8]>, Known>>,
}

/// What stays the same as long as known versions are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the host's transaction: what of it is not rolled back, and how many rows of any table were changed by others
    /// than us.
    Hosted { part: u64, foreign_changes: i32 },
    /// What was committed last.
    Committed { data_version: u32 },
}

/// A stream that is about to be appended to, with the write lock held.
#[derive(Debug)]
pub struct Stream<'a> {
    connection: &'a Rc<Connection>,
    store: &'a Rc<Store>,
    name: Option<&'a [u8]>,
    is_hosted: bool,
    state: Option<State>,
    total_changes: i32,
    known: Option<Known>,
    /// Its version, `None` for a stream that never was.
    pub version: Option<i64>,
}

impl<'a> Stream<'a> {
    /// Finds out the version.
    pub fn look_up(
        connection: &'a Rc<Connection>,
        store: &'a Rc<Store>,
        name: Option<&'a [u8]>,
        is_hosted: bool,
    ) -> Result<Self> {
        if is_hosted {
            watch(connection, store)?;
        }
        let state = state(connection, store, is_hosted);
        let known = state.zip(name).and_then(|(state, name)| store.versions.find(state, name));
        let version = match &known {
            Some(known) => Some(known.get()),
            None => stream_version(connection, store, name)?,
        };
        let total_changes = connection.db.total_changes();
        Ok(Self { connection, store, name, is_hosted, state, total_changes, known, version })
    }

    /// Keeps the version, now that so many messages were appended; outside a transaction of the host's, committed.
    pub fn keep(&self, appended: i32) {
        if appended == 0 {
            return;
        }
        let Self { connection, store, .. } = self;
        let is_alone = connection.db.total_changes() == self.total_changes.wrapping_add(appended);
        if is_alone && self.is_hosted {
            connection.own_changes.set(connection.own_changes.get().wrapping_add(appended));
        }
        let state = state(connection, store, self.is_hosted);
        match (self.state, state, self.name) {
            // A trigger of somebody's may have appended, too, and then it is not right.
            (Some(before), Some(now), Some(name)) if is_alone && (now == before || !self.is_hosted) => {
                let version = self.version.unwrap_or(NO_STREAM).saturating_add(i64::from(appended));
                store.versions.keep(before, now);
                match &self.known {
                    Some(known) => known.set(version),
                    None => store.versions.add(name, version),
                }
            }
            _ => store.versions.forget(),
        }
    }
}

impl Versions {
    fn find(&self, state: State, name: &[u8]) -> Option<Known> {
        if self.state.get() == Some(state) { self.streams.borrow().get(name).cloned() } else { None }
    }

    /// What was right before is right still.
    fn keep(&self, before: State, now: State) {
        if self.state.replace(Some(now)) != Some(before) {
            self.streams.borrow_mut().clear();
        }
    }

    fn add(&self, name: &[u8], version: i64) {
        if name.len() > LONGEST {
            return;
        }
        let mut streams = self.streams.borrow_mut();
        if streams.len() >= KEPT {
            streams.clear();
        }
        streams.insert(name.into(), Rc::new(Cell::new(version)));
    }

    fn forget(&self) {
        self.state.set(None);
    }
}

fn state(connection: &Connection, store: &Store, is_hosted: bool) -> Option<State> {
    let db = connection.db;
    if is_hosted {
        if store.has_own_database() {
            return None;
        }
        let part = connection.watch.part()?;
        let foreign_changes = db.total_changes().wrapping_sub(connection.own_changes.get());
        return Some(State::Hosted { part, foreign_changes });
    }
    // A host can put another database in memory in the place of this one, with the same version.
    let data_version = if db.is_file(&store.schema) { db.data_version(&store.schema) } else { None };
    data_version.map(|data_version| State::Committed { data_version })
}

/// Sees to it that a transaction of the host's on the main database is watched. For others that would take a lock too
/// many: SQLite counts the table that is told of the transaction as one of the main database.
fn watch(connection: &Rc<Connection>, store: &Store) -> Result<()> {
    if store.has_own_database() || connection.watch.part().is_some() || connection.is_unwatchable.get() {
        return Ok(());
    }
    match connection.statement(&connection.main, Query::Watch) {
        Ok(mut statement) => statement.execute(&[])?,
        Err(failure) if failure.is_interrupt() => return Err(failure),
        // The host may forbid it, or have a view of that name.
        Err(_) => {}
    }
    connection.is_unwatchable.set(connection.watch.part().is_none());
    Ok(())
}
