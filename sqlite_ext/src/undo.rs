//! Taking back what was begun, also while the host interrupts.
//!
//! An interrupt, or a progress handler that says stop, ends every statement for as long as the host's own is running,
//! a ROLLBACK as well, and nothing can be prepared any more. But a statement that writes and is interrupted has SQLite roll
//! back the whole transaction. The one that takes the lock is such a statement, and was just run: it need not be prepared
//! anew, as any statement has to be once an index was created somewhere.

use std::rc::Rc;

use crate::connection::Connection;
use crate::errors::Result;
use crate::statements::{Pooled, Query};
use crate::store::Store;

/// What takes a transaction of our own back.
pub struct Undo {
    rollback: Pooled,
    stop: Stop,
}

impl Undo {
    /// Before the transaction is begun.
    pub fn prepare(connection: &Rc<Connection>, store: &Rc<Store>) -> Result<Self> {
        Ok(Self {
            rollback: connection.statement(&connection.main, Query::Rollback)?,
            stop: Stop::new(connection, store),
        })
    }

    /// The lock is held.
    pub fn locked(&mut self) {
        self.stop.locked();
    }

    /// Rolls back, where SQLite has not done so by itself: a full disk and some others end a transaction.
    pub fn run(mut self) {
        if self.stop.is_in_transaction() && self.rollback.execute(&[]).is_err() {
            self.stop.run();
            // The next call on the connection will.
            self.stop.connection.has_left_transaction.set(self.stop.is_in_transaction());
        }
    }
}

/// What takes a part of the host's transaction back.
pub struct Savepoint {
    release: Pooled,
    rollback_to: Pooled,
    stop: Stop,
}

impl Savepoint {
    /// Sets the savepoint, with the lock held; `None` where that is not possible, while a statement of the host's is
    /// writing.
    pub fn set(connection: &Rc<Connection>, store: &Rc<Store>) -> Result<Option<Self>> {
        let statement = |query| connection.statement(&connection.main, query);
        let mut stop = Stop::new(connection, store);
        stop.locked();
        let savepoint = Self { release: statement(Query::Release)?, rollback_to: statement(Query::RollbackTo)?, stop };
        let set = statement(Query::Savepoint)?.execute(&[]);
        Ok(set.is_ok().then_some(savepoint))
    }

    /// Keeps what was done since. After a failure it is taken back.
    pub fn keep(mut self) -> Result<()> {
        let Err(failure) = self.release.execute(&[]) else { return Ok(()) };
        // Released, and interrupted right behind that?
        if self.rollback_to.execute(&[]).is_err_and(|failure| failure.is_missing_savepoint()) {
            return Ok(());
        }
        self.undo();
        Err(failure)
    }

    /// Takes back what was done since; while the host interrupts, its whole transaction.
    pub fn undo(mut self) {
        // Some failures end the transaction by themselves.
        if !self.stop.is_in_transaction() {
            return;
        }
        let undone = self.rollback_to.execute(&[]).and_then(|()| self.release.execute(&[]));
        if undone.is_err() {
            self.stop.run();
        }
    }
}

/// What ends a transaction that cannot be rolled back, since the host interrupts.
struct Stop {
    connection: Rc<Connection>,
    store: Rc<Store>,
    lock: Option<Pooled>,
}

impl Stop {
    fn new(connection: &Rc<Connection>, store: &Rc<Store>) -> Self {
        Self { connection: Rc::clone(connection), store: Rc::clone(store), lock: None }
    }

    /// Keeps the statement that has just taken the lock.
    fn locked(&mut self) {
        self.lock = self.connection.statement(&self.store, Query::Lock).ok();
    }

    fn is_in_transaction(&self) -> bool {
        !self.connection.db.is_autocommit()
    }

    fn run(&mut self) {
        if self.lock.is_none() {
            self.locked();
        }
        if let Some(lock) = &mut self.lock {
            // Without an interrupt it changes nothing.
            drop(lock.execute(&[]));
        }
    }
}
