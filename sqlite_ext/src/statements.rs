//! The statements of a store, kept prepared: preparing one costs several times what running it does.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use crate::connection::Connection;
use crate::engine::db::Db;
use crate::engine::statement::Statement;
use crate::errors::Result;
use crate::store::Store;

/// How many of one kind are kept: as many cursors of one query as hosts have open at once, and some.
const KEPT: usize = 8;

macro_rules! queries {
    ($($name:ident => $file:literal;)*) => {
        /// A statement on a store.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs)] // each is a file, or several rows of one
        pub enum Query { $($name,)* }

        impl Query {
            const COUNT: usize = [$(Self::$name,)*].len();

            /// Its text, with places for the schema, the prefix of the table names, and a condition.
            pub fn template(self) -> &'static str {
                match self { $(Self::$name => include_str!(concat!("../sql/statements/", $file, ".sql")),)* }
            }
        }
    };
}

queries! {
    AllMessages => "all_messages";
    Categories => "categories";
    CategoryMessages => "category_messages";
    ConsumerPosition => "consumer_position";
    ConsumerPositions => "consumer_positions";
    DeleteAfter => "delete_after";
    GlobalPosition => "global_position";
    Insert => "insert";
    Insert10 => "insert";
    Insert10Imports => "insert_import";
    Insert50 => "insert";
    Insert50Imports => "insert_import";
    InsertImport => "insert_import";
    KeepStreamHead => "keep_stream_head";
    LastGlobalPosition => "last_global_position";
    LastMessage => "last_message";
    LastMessageOfType => "last_message_of_type";
    LastPosition => "last_position";
    Lock => "lock";
    Namespace => "namespace";
    Namespaces => "namespaces";
    Newest => "newest";
    RecordConsumerPosition => "record_consumer_position";
    Redact => "redact";
    Remove => "remove";
    StreamMessages => "stream_messages";
    StreamVersion => "stream_version";
    Streams => "streams";
    Version => "version";
    Begin => "begin";
    Commit => "commit";
    Release => "release";
    Rollback => "rollback";
    RollbackTo => "rollback_to";
    Savepoint => "savepoint";
}

/// A statement of a pool: handed around more often than it is looked at.
pub type Idle = Box<Statement>;

impl Query {
    /// Its text for as many rows as it stores, where it stores several.
    pub fn text(self) -> Cow<'static, str> {
        let rows = match self {
            Self::Insert10 | Self::Insert10Imports => 10,
            Self::Insert50 | Self::Insert50Imports => 50,
            _ => return self.template().into(),
        };
        let (table, row) = self.template().trim_end().split_once("VALUES ").unwrap_or_default();
        format!("{table}VALUES {}", vec![row; rows].join(", ")).into()
    }
}

/// The idle statements of a store.
#[derive(Debug)]
pub struct Pool {
    idle: [RefCell<Vec<Idle>>; Query::COUNT],
}

impl Default for Pool {
    fn default() -> Self {
        Self { idle: std::array::from_fn(|_| RefCell::default()) }
    }
}

impl Pool {
    /// Finalizes every idle statement.
    pub fn clear(&self) {
        for idle in &self.idle {
            // Taken out first: finalizing may call back.
            let statements = std::mem::take(&mut *idle.borrow_mut());
            drop(statements);
        }
    }

    /// A kept statement if there is one.
    pub fn take_or_prepare(&self, db: Db, store: &Store, query: Query) -> Result<Idle> {
        let kept = self.idle[query as usize].borrow_mut().pop();
        kept.map_or_else(|| db.prepare(store.sql(&query.text()).as_bytes()).map(Box::new), Ok)
    }

    /// Keeps a statement that was reset.
    pub fn put(&self, query: Query, statement: Idle) {
        let mut idle = self.idle[query as usize].borrow_mut();
        if idle.len() < KEPT {
            idle.push(statement);
        }
    }
}

/// A statement in use, which goes back to its store's pool.
#[derive(Debug)]
pub struct Pooled {
    statement: Option<Idle>,
    connection: Rc<Connection>,
    store: Rc<Store>,
    query: Query,
}

impl Pooled {
    /// A statement of the store, a kept one if there is one.
    pub fn new(connection: &Rc<Connection>, store: &Rc<Store>, query: Query) -> Result<Self> {
        let statement = store.pool.take_or_prepare(connection.db, store, query)?;
        Ok(Self { statement: Some(statement), connection: Rc::clone(connection), store: Rc::clone(store), query })
    }

    /// The statement, there until it is dropped.
    pub fn get(&self) -> Option<&Statement> {
        self.statement.as_deref()
    }
}

impl Deref for Pooled {
    type Target = Statement;

    fn deref(&self) -> &Statement {
        self.statement.as_deref().expect("there until it is dropped")
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut Statement {
        self.statement.as_deref_mut().expect("there until it is dropped")
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let Some(mut statement) = self.statement.take() else { return };
        statement.reset();
        self.connection.keep(&self.store, self.query, statement);
    }
}
