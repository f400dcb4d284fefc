//! What is kept for a connection of the host's.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::engine::closing_hook;
use crate::engine::db::Db;
use crate::engine::statement::{Parameter, Statement};
use crate::errors::Result;
use crate::settings::Settings;
use crate::statements::{Idle, Pooled, Query};
use crate::store::Store;

/// The state of one connection, shared by its functions.
///
/// SQLite lets one thread at a time into a connection, and calls back under that rule only, so nothing here is locked.
/// But a call may come in while another is under way, from SQL that the other runs, so no borrow is kept over SQL.
#[derive(Debug)]
pub struct Connection {
    /// The host's connection.
    pub db: Db,
    /// The default store.
    pub main: Rc<Store>,
    /// The namespaces that are attached.
    pub attached: RefCell<Vec<Rc<Store>>>,
    /// `message_store.*`.
    pub settings: RefCell<Settings>,
    /// Whether the end of the connection will be noticed.
    is_armed: Cell<bool>,
    calls: Cell<u64>,
    /// Whether a transaction of our own is still open after a call has failed.
    pub has_left_transaction: Cell<bool>,
}

impl Connection {
    /// The state of a connection that was just made known.
    pub fn new(db: Db) -> Self {
        Self {
            db,
            main: Rc::new(Store::main()),
            attached: RefCell::default(),
            settings: RefCell::default(),
            is_armed: Cell::new(false),
            calls: Cell::new(0),
            has_left_transaction: Cell::new(false),
        }
    }

    /// A statement of a store.
    pub fn statement(self: &Rc<Self>, store: &Rc<Store>, query: Query) -> Result<Pooled> {
        store.last_use.set(self.calls.replace(self.calls.get() + 1));
        Pooled::new(self, store, query)
    }

    /// Runs a statement of a store up to its first row, and gives what `read` makes of that.
    pub fn query<T>(
        self: &Rc<Self>,
        store: &Rc<Store>,
        query: Query,
        parameters: &[Parameter<'_>],
        read: impl FnOnce(&Statement) -> T,
    ) -> Result<Option<T>> {
        store.last_use.set(self.calls.replace(self.calls.get() + 1));
        let mut statement = store.pool.take_or_prepare(self.db, store, query)?;
        let result = statement.query(parameters, read);
        self.keep(store, query, statement);
        result
    }

    /// The first column of a statement's first row, an integer; `None` for NULL, and without a row.
    pub fn whole(
        self: &Rc<Self>,
        store: &Rc<Store>,
        query: Query,
        parameters: &[Parameter<'_>],
    ) -> Result<Option<i64>> {
        self.query(store, query, parameters, |row| row.whole(0))?.unwrap_or(Ok(None))
    }

    /// Runs a statement of a store to its end, one that gives no rows.
    pub fn execute(self: &Rc<Self>, store: &Rc<Store>, query: Query, parameters: &[Parameter<'_>]) -> Result<()> {
        self.query(store, query, parameters, |_| ()).map(drop)
    }

    /// Puts a statement back that was reset.
    pub fn keep(&self, store: &Store, query: Query, statement: Idle) {
        if store.is_attached() && self.may_keep_statements() {
            store.pool.put(query, statement);
        }
    }

    /// Whether statements may be kept: only when their release before the connection's end is sure.
    fn may_keep_statements(&self) -> bool {
        if !self.is_armed.get() {
            self.is_armed.set(closing_hook::arm(self).is_ok());
        }
        self.is_armed.get()
    }

    /// Forgets that any tables were found: some are not there any more.
    pub fn check_again(&self) {
        self.main.is_checked.set(false);
        for store in self.attached.borrow().iter() {
            store.is_checked.set(false);
        }
    }

    /// Finalizes every idle statement: the host closes the connection.
    pub fn release_statements(&self) {
        self.is_armed.set(false);
        self.main.pool.clear();
        let attached: Vec<_> = self.attached.borrow().iter().map(Rc::clone).collect();
        for store in attached {
            store.pool.clear();
        }
    }
}
