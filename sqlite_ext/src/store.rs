//! A message store: the default one in the main file, or a namespace's.

use std::cell::Cell;
use std::ffi::{CStr, CString};

use message_store_core::namespace_name;

use crate::newest::Version;
use crate::statements::Pool;

/// A store that a connection can reach.
#[derive(Debug)]
pub struct Store {
    /// The namespace.
    pub namespace: String,
    /// The name under which SQLite knows the database it is in.
    pub schema: CString,
    /// What the names of its tables begin with: nothing, but where several stores share a database.
    pub prefix: String,
    /// Its statements.
    pub pool: Pool,
    /// When it was used last, counted in calls.
    pub last_use: Cell<u64>,
    /// Whether its tables were found to be there, and of this extension's version.
    pub is_checked: Cell<bool>,
    /// The newest message's global position, and of what.
    pub newest: Cell<Option<(Version, i64)>>,
    is_detached: Cell<bool>,
}

impl Store {
    /// The default store.
    pub fn main() -> Self {
        Self::new(namespace_name::DEFAULT, c"main".to_owned(), String::new())
    }

    /// A namespace in a file of its own, attached under `schema`.
    pub fn attached(namespace: &str, schema: CString) -> Self {
        Self::new(namespace, schema, String::new())
    }

    /// A namespace of a main database that has no file: tables of their own names in the same database.
    pub fn in_memory(namespace: &str) -> Self {
        Self::new(namespace, c"main".to_owned(), format!("{namespace}:"))
    }

    fn new(namespace: &str, schema: CString, prefix: String) -> Self {
        Self {
            namespace: namespace.to_owned(),
            schema,
            prefix,
            pool: Pool::default(),
            last_use: Cell::new(0),
            is_checked: Cell::new(false),
            newest: Cell::new(None),
            is_detached: Cell::new(false),
        }
    }

    /// Whether it is the default store.
    pub fn is_default(&self) -> bool {
        self.namespace == namespace_name::DEFAULT
    }

    /// Whether it has a database of its own, which can be detached.
    pub fn has_own_database(&self) -> bool {
        self.schema.as_c_str() != c"main"
    }

    /// Whether it can be reached; not once it is detached.
    pub fn is_attached(&self) -> bool {
        !self.is_detached.get()
    }

    /// Says that it can no longer be reached.
    pub fn set_detached(&self) {
        self.is_detached.set(true);
        self.pool.clear();
    }

    /// The text of a statement on this store.
    pub fn sql(&self, template: &str) -> String {
        self.sql_with_condition(template, "")
    }

    /// The same with something more in its filter.
    pub fn sql_with_condition(&self, template: &str, condition: &str) -> String {
        sql(template, &self.schema, &self.prefix).replace("{condition}", condition)
    }
}

/// A text with the places for schema and prefix filled in. Both are made of validated names.
pub fn sql(template: &str, schema: &CStr, prefix: &str) -> String {
    let schema = format!("\"{}\".", schema.to_string_lossy());
    template.replace("{schema}", &schema).replace("{prefix}", prefix)
}
