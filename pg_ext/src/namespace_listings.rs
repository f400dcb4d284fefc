//! `get_namespace` and `list_namespaces`.

use message_store_core::{Error, Result, namespace_name};
use pgrx::pg_sys::VARCHAROID;

use crate::call::{Answer, Call, sql_functions};
use crate::registry::recorded_owner;
use crate::rows::Rows;
use crate::spi::{Parameter, connected};

sql_functions! {
    "message_store_get_namespace" => get_namespace;
    "message_store_list_namespaces" => list_namespaces;
}

/// `get_namespace(name)`: one row of the registry. Reading a token hash takes the privilege to do so.
fn get_namespace(call: &Call<'_>) -> Result<Answer> {
    let argument = call.text(0);
    let name = namespace_name::check(argument.as_deref())?;
    if name != namespace_name::DEFAULT && recorded_owner(name).is_none() {
        return Err(Error::NamespaceDoesNotExist(Some(name.to_owned())));
    }
    let rows = Rows::of(call);
    let parameter = Parameter { kind: VARCHAROID, value: argument.map(|name| name.datum()) };
    connected(|spi| {
        spi.rows_of_text(
            b"SELECT n.name::pg_catalog.varchar, n.token_hash, n.description, n.metadata::pg_catalog.varchar, \
              n.created_at FROM message_store.namespaces AS n WHERE n.name OPERATOR(pg_catalog.=) $1 \
              UNION ALL SELECT $1, NULL, NULL, NULL, NULL WHERE $1 OPERATOR(pg_catalog.=) 'message_store'",
            &[parameter],
            &rows,
        );
        Ok(None)
    })
}

/// `list_namespaces()`: the namespaces whose schema the caller may use, the default one included, by name.
fn list_namespaces(call: &Call<'_>) -> Result<Answer> {
    let rows = Rows::of(call);
    connected(|spi| {
        spi.rows_of_text(
            b"SELECT n.name, n.description, n.metadata, n.created_at FROM (\
              SELECT r.name::pg_catalog.varchar AS name, r.description, r.metadata::pg_catalog.varchar AS metadata, \
              r.created_at FROM message_store.namespaces AS r \
              UNION ALL SELECT 'message_store'::pg_catalog.varchar, NULL, NULL, NULL) AS n \
              JOIN pg_catalog.pg_namespace AS s ON s.nspname OPERATOR(pg_catalog.=) n.name::pg_catalog.name \
              WHERE pg_catalog.has_schema_privilege(s.oid, 'USAGE') ORDER BY n.name COLLATE pg_catalog.\"C\"",
            &[],
            &rows,
        );
        Ok(None)
    })
}
