//! The newest message that a read sees. A host may append while it reads, and must not read on into what it appends.

use std::rc::Rc;

use crate::connection::Connection;
use crate::engine::db::TransactionState;
use crate::errors::Result;
use crate::statements::Query;
use crate::store::Store;

/// What the messages of a file were when their newest was looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Another one after every commit, whoever commits.
    data_version: u32,
    /// Another one after every statement of this connection that has written and ended.
    total_changes: i32,
}

/// The highest global position in the store, 0 for none. A statement on the store must be running, so that nobody can
/// have committed anything since that it does not see.
///
/// It is kept until something is written: with the look-up a read of ten messages takes a twentieth more instructions.
pub fn newest(connection: &Rc<Connection>, store: &Rc<Store>) -> Result<i64> {
    let db = connection.db;
    // What is not committed yet can be rolled back, and is not counted until its statement ends.
    let is_settled = db.transaction_state(Some(&store.schema)) != TransactionState::Write;
    // A host can put another database in the place of this one, with the same version: one in memory, or what it attaches
    // under a namespace's name.
    let stays = !store.has_own_database() && db.is_file(&store.schema);
    let data_version = if is_settled && stays { db.data_version(&store.schema) } else { None };
    let version = data_version.map(|data_version| Version { data_version, total_changes: db.total_changes() });
    if let (Some((known, position)), Some(version)) = (store.newest.get(), version)
        && known == version
    {
        return Ok(position);
    }
    let position = connection.whole(store, Query::Newest, &[])?.unwrap_or(0);
    store.newest.set(version.map(|version| (version, position)));
    Ok(position)
}
