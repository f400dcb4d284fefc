//! `create_namespace`.

use message_store_core::{Error, Result, namespace_name};
use pgrx::pg_sys;

use crate::call::{Answer, Call, sql_functions};
use crate::namespace::schema_oid;
use crate::spi::{connected, text_datum};
use crate::store_objects;

sql_functions! {
    "message_store_create_namespace" => create_namespace;
}

/// `create_namespace(name, token_hash, description, metadata)`: the name.
fn create_namespace(call: &Call<'_>) -> Result<Answer> {
    let name = call.text(0);
    let name = namespace_name::check(name.as_deref())?;
    if name != namespace_name::DEFAULT {
        return Err(Error::NamespaceDoesNotExist(Some(name.to_owned())));
    }
    complete_default_store()?;
    Ok(Some(text_datum(name.as_bytes())))
}

/// Creates what is missing of the default store. Nothing missing is a namespace that exists.
fn complete_default_store() -> Result<()> {
    let name = namespace_name::DEFAULT;
    connected(|spi| {
        let schema = schema_oid(name).ok_or(Error::DefaultStoreMissing)?;
        let created = store_objects::create_missing(spi, name, schema)?;
        if created.is_empty() {
            return Err(Error::NamespaceExists(name.to_owned()));
        }
        // SAFETY: catalog look-up by a NUL-terminated name.
        let role = unsafe { pg_sys::get_role_oid(c"message_store".as_ptr(), true) };
        if role != pg_sys::InvalidOid {
            store_objects::grant_to_role(spi, name);
        }
        // SAFETY: reads a flag of the backend.
        if unsafe { pg_sys::creating_extension } {
            store_objects::detach_from_extension(spi, name, &created);
        }
        Ok(())
    })
}
