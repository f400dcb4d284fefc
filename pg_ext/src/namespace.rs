//! Which store a call means, and whether the caller may use it.

use std::ffi::CString;

use message_store_core::{Error, Result, namespace_name};
use pgrx::pg_sys;

use crate::call::Text;
use crate::postgres_error::protect;

/// A store that a call may use: its name, and the OIDs that its objects have now.
#[derive(Debug, Clone)]
pub struct Store {
    /// The namespace.
    pub namespace: String,
    /// Its schema.
    pub schema: pg_sys::Oid,
    /// Its table `messages`.
    pub table: pg_sys::Oid,
}

impl Store {
    /// Whether this is the default store.
    pub fn is_default(&self) -> bool {
        self.namespace == namespace_name::DEFAULT
    }
}

/// The store of a call: the one its `namespace` argument names, else the default one.
pub fn resolve(argument: Option<Text<'_>>) -> Result<Store> {
    let name = match argument {
        Some(name) => namespace_name::check(Some(name.bytes()))?,
        None => namespace_name::DEFAULT,
    };
    if name != namespace_name::DEFAULT {
        return Err(Error::NamespaceDoesNotExist(Some(name.to_owned())));
    }
    let missing = || Error::DefaultStoreMissing;
    let schema = schema_oid(name).ok_or_else(missing)?;
    check_usage(schema, name);
    let table = relation_oid("messages", schema).ok_or_else(missing)?;
    Ok(Store { namespace: name.to_owned(), schema, table })
}

/// The OID of a schema, `None` when there is none of that name.
pub fn schema_oid(name: &str) -> Option<pg_sys::Oid> {
    let name = CString::new(name).ok()?;
    // SAFETY: a catalog look-up; the name is NUL-terminated.
    existing(unsafe { pg_sys::get_namespace_oid(name.as_ptr(), true) })
}

/// The OID of a relation in a schema, `None` when there is none of that name.
pub fn relation_oid(name: &str, schema: pg_sys::Oid) -> Option<pg_sys::Oid> {
    let name = CString::new(name).ok()?;
    // SAFETY: a catalog look-up; the name is NUL-terminated.
    existing(unsafe { pg_sys::get_relname_relid(name.as_ptr(), schema) })
}

fn existing(oid: pg_sys::Oid) -> Option<pg_sys::Oid> {
    (oid != pg_sys::InvalidOid).then_some(oid)
}

/// Raises Postgres' error for a schema that the caller may not use.
///
/// The privilege is checked by name look-ups only, and a kept plan does none: so it is checked here, at each call.
fn check_usage(schema: pg_sys::Oid, name: &str) {
    // SAFETY: a catalog look-up.
    let result = unsafe { pg_sys::pg_namespace_aclcheck(schema, pg_sys::GetUserId(), pg_sys::ACL_USAGE.into()) };
    if result != pg_sys::AclResult::ACLCHECK_OK {
        let name = CString::new(name).unwrap_or_default();
        let name = name.as_ptr();
        // SAFETY: raises the error; the name outlives the call.
        unsafe { protect(|| raw::aclcheck_error(result, pg_sys::ObjectType::OBJECT_SCHEMA, name)) };
    }
}

mod raw {
    use std::ffi::c_char;

    use pgrx::pg_sys::{AclResult, ObjectType};

    unsafe extern "C-unwind" {
        pub fn aclcheck_error(result: AclResult::Type, kind: ObjectType::Type, name: *const c_char);
    }
}
