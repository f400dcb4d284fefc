//! `delete_namespace` and `clear_namespace`.

use message_store_core::{Error, Result, namespace_name};
use pgrx::pg_sys::{self, Datum, OIDOID, VARCHAROID};

use crate::call::{Answer, Call, sql_functions};
use crate::namespace::{Use, check_ownership, find, relation_oid, schema_oid};
use crate::registry::recorded_owner;
use crate::spi::{LatestSnapshot, Parameter, Spi, connected, text_datum};
use crate::statements::Statement;
use crate::store_objects;

sql_functions! {
    "message_store_delete_namespace" => delete_namespace;
    "message_store_clear_namespace" => clear_namespace;
}

/// `delete_namespace(name, cascade)`: the name.
///
/// It waits for those who are writing; those who come later find no such namespace.
fn delete_namespace(call: &Call<'_>) -> Result<Answer> {
    let name = call.text(0);
    let name = namespace_name::check(name.as_deref())?;
    if name == namespace_name::DEFAULT {
        return Err(Error::DefaultNamespaceCannotBeDeleted);
    }
    let cascade = call.boolean(1).unwrap_or(false);
    if recorded_owner(name).is_none() {
        return Err(Error::NamespaceDoesNotExist(Some(name.to_owned())));
    }
    connected(|spi| {
        let schema = schema_oid(name);
        if let Some(schema) = schema {
            check_ownership(schema, name);
            if relation_oid("messages", schema).is_some() {
                find(name)?.lock(Use::Delete)?;
            }
            if !cascade {
                refuse_other_objects(spi, schema, name)?;
            }
        }
        let deleted = spi.run_text(
            "DELETE FROM message_store.namespaces WHERE name OPERATOR(pg_catalog.=) $1",
            &[Parameter { kind: VARCHAROID, value: Some(text_datum(name.as_bytes())) }],
        );
        if deleted == 0 {
            return Err(Error::NamespaceDoesNotExist(Some(name.to_owned())));
        }
        if schema.is_some() {
            store_objects::drop_store(spi, name, cascade);
        }
        Ok(())
    })?;
    Ok(Some(text_datum(name.as_bytes())))
}

/// Refuses to delete a schema that holds anything but the store.
fn refuse_other_objects(spi: &Spi, schema: pg_sys::Oid, name: &str) -> Result<()> {
    let own: Vec<String> = store_objects::names().map(|name| format!("'{name}'")).collect();
    let objects = spi.text_of(
        &format!(
            "SELECT pg_catalog.string_agg(o.name, ', ' ORDER BY o.name COLLATE pg_catalog.\"C\") FROM (\
             SELECT COALESCE(i.name, i.identity) AS name FROM pg_catalog.pg_depend AS d, \
             LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, 0) AS i \
             WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass \
             AND d.refobjid OPERATOR(pg_catalog.=) $1 AND d.deptype OPERATOR(pg_catalog.=) 'n' \
             AND NOT (d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass \
             AND i.name OPERATOR(pg_catalog.=) ANY (ARRAY[{}]))) AS o",
            own.join(", ")
        ),
        &[Parameter { kind: OIDOID, value: Some(Datum::from(schema)) }],
    );
    match objects {
        Some(objects) => Err(Error::NamespaceContainsOtherObjects { namespace: name.to_owned(), objects }),
        None => Ok(()),
    }
}

/// `clear_namespace(name)`: how many messages were removed. Global positions start again at 1.
fn clear_namespace(call: &Call<'_>) -> Result<Answer> {
    let name = call.text(0);
    let store = find(namespace_name::check(name.as_deref())?)?;
    check_ownership(store.schema, &store.namespace);
    let store = store.lock(Use::Delete)?;
    let removed = connected(|spi| {
        let count = Statement::MessageCount.plan(spi, &store);
        let removed = spi.bigint_at(&LatestSnapshot::push(), count, &[]);
        spi.script(&format!("TRUNCATE \"{}\".messages RESTART IDENTITY", store.namespace));
        for table in ["stream_heads", "consumer_positions"] {
            if relation_oid(table, store.schema).is_some() {
                spi.script(&format!("TRUNCATE \"{}\".{table}", store.namespace));
            }
        }
        Ok(removed)
    })?;
    Ok(removed.map(Datum::from))
}
