//! `get_namespace`, `list_namespaces`, `list_streams`, `list_categories`.

use std::ffi::c_int;
use std::rc::Rc;

use message_store_core::arguments::BatchSize;
use message_store_core::namespace_name;

use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::rows::{HeldRows, Rows, Value};
use crate::engine::statement::Statement;
use crate::engine::table_function::TableFunction;
use crate::errors::Result;
use crate::message_rows::NoRows;
use crate::namespaces::{is_readable, with_store};
use crate::registry::{self, Entry};
use crate::schema;
use crate::statements::{Pooled, Query};

/// `get_namespace(name)`: one row.
pub static GET_NAMESPACE: TableFunction = TableFunction {
    name: "get_namespace",
    columns: &["name TEXT", "token_hash TEXT", "description TEXT", "metadata TEXT", "created_at TEXT"],
    arguments: &["arg_name"],
    ascending: None,
    open: get_namespace,
};

/// `list_namespaces()`: by name, the default one included.
pub static LIST_NAMESPACES: TableFunction = TableFunction {
    name: "list_namespaces",
    columns: &["name TEXT", "description TEXT", "metadata TEXT", "created_at TEXT"],
    arguments: &[],
    ascending: Some(0),
    open: list_namespaces,
};

/// `list_streams(prefix, after, batch_size, namespace)`: by name, in the order of bytes.
pub static LIST_STREAMS: TableFunction = TableFunction {
    name: "list_streams",
    columns: &["stream_name TEXT", "version INTEGER", "message_count INTEGER"],
    arguments: &["arg_prefix", "arg_after", "arg_batch_size", "namespace"],
    ascending: Some(0),
    open: list_streams,
};

/// `list_categories(namespace)`: by name, in the order of bytes.
pub static LIST_CATEGORIES: TableFunction = TableFunction {
    name: "list_categories",
    columns: &["category TEXT", "stream_count INTEGER", "message_count INTEGER"],
    arguments: &["namespace"],
    ascending: Some(0),
    open: list_categories,
};

fn get_namespace(connection: &Rc<Connection>, arguments: &Arguments<'_>) -> Result<Box<dyn Rows>> {
    let name = namespace_name::check(arguments.text(0))?;
    let entry = if name == namespace_name::DEFAULT {
        let created_at = created_at(connection)?;
        Entry { name: name.to_owned(), token_hash: None, description: None, metadata: None, created_at }
    } else {
        registry::find(connection, name)?.ok_or_else(|| registry::unknown(name))?
    };
    let columns = [Some(entry.name), entry.token_hash, entry.description, entry.metadata, entry.created_at];
    Ok(Box::new(Texts(HeldRows::new(vec![columns.into()]))))
}

fn list_namespaces(connection: &Rc<Connection>, _: &Arguments<'_>) -> Result<Box<dyn Rows>> {
    let created_at = created_at(connection)?;
    let rows = connection.statement(&connection.main, Query::Namespaces).and_then(|mut statement| {
        statement.start(&[created_at.as_deref().into()])?;
        let mut rows: Vec<Vec<Option<String>>> = Vec::new();
        while statement.step()? {
            rows.push((0..4).map(|column| statement.string(column)).collect());
        }
        Ok(rows)
    });
    let rows = match rows {
        // Nobody has written yet.
        Err(failure) if failure.is_missing_table() => {
            vec![vec![Some(namespace_name::DEFAULT.to_owned()), None, None, created_at]]
        }
        rows => rows?,
    };
    Ok(Box::new(Texts(HeldRows::new(rows))))
}

/// When the default store was created; `None` when it is not there yet.
fn created_at(connection: &Rc<Connection>) -> Result<Option<String>> {
    Ok(schema::identity(connection, &connection.main)?.map(|identity| identity.created_at))
}

/// Rows of texts.
struct Texts(HeldRows<Vec<Option<String>>>);

impl Rows for Texts {
    fn next(&mut self) -> Result<bool> {
        Ok(self.0.next())
    }

    fn column(&self, column: c_int, value: &mut Value<'_>) -> Result<()> {
        let column = usize::try_from(column).ok().and_then(|column| self.0.row()?.get(column));
        value.string(column.and_then(Option::as_deref));
        Ok(())
    }
}

fn list_streams(connection: &Rc<Connection>, arguments: &Arguments<'_>) -> Result<Box<dyn Rows>> {
    let batch_size = arguments.integer(2)?;
    let prefix = arguments.text(0).unwrap_or_default();
    let after = arguments.text(1);
    with_store(connection, arguments.text(3), |store| {
        let left = BatchSize::checked(batch_size)?.limit()?;
        if !is_readable(connection, store)? {
            return Ok(Box::new(NoRows) as Box<dyn Rows>);
        }
        let mut statement = connection.statement(store, Query::Streams)?;
        statement.start(&[prefix.max(after.unwrap_or_default()).into()])?;
        let (prefix, after) = (prefix.to_vec(), after.map(<[u8]>::to_vec));
        Ok(Box::new(Streams { statement, prefix, after, left }))
    })
}

/// Streams from the first that may be one of those asked for.
struct Streams {
    statement: Pooled,
    prefix: Vec<u8>,
    after: Option<Vec<u8>>,
    left: Option<i64>,
}

impl Rows for Streams {
    fn next(&mut self) -> Result<bool> {
        if self.left == Some(0) {
            return Ok(false);
        }
        while self.statement.step()? {
            let name = self.statement.text(0).unwrap_or_default();
            if !name.starts_with(&self.prefix) {
                return Ok(false);
            }
            if self.after.as_deref() != Some(name) {
                self.left = self.left.map(|left| left - 1);
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn statement(&self) -> Option<&Statement> {
        self.statement.get()
    }
}

fn list_categories(connection: &Rc<Connection>, arguments: &Arguments<'_>) -> Result<Box<dyn Rows>> {
    with_store(connection, arguments.text(0), |store| {
        if !is_readable(connection, store)? {
            return Ok(Box::new(NoRows) as Box<dyn Rows>);
        }
        let mut statement = connection.statement(store, Query::Categories)?;
        statement.start(&[])?;
        Ok(Box::new(Categories { statement }))
    })
}

struct Categories {
    statement: Pooled,
}

impl Rows for Categories {
    fn next(&mut self) -> Result<bool> {
        self.statement.step()
    }

    fn statement(&self) -> Option<&Statement> {
        self.statement.get()
    }
}
