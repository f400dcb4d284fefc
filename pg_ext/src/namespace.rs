//! Which store a call means, and whether the caller may use it.
//!
//! The `namespace` argument decides; without one, the first registered namespace that the `search_path` setting names;
//! else it is the default store. The setting is read as it is written: Postgres' own reading of it leaves out the
//! schemas that the caller may not use, and a tenant's write would land in the default store.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_int};
use std::rc::Rc;

use message_store_core::{Error, Result, namespace_name};
use pgrx::pg_sys;

use crate::call::Text;
use crate::encoding::decoded;
use crate::postgres_error::protect;
use crate::postgres_version::{acl_mode, schema_aclcheck, schema_ownercheck};
use crate::registry::{check_once, find_once, is_registered, recorded_owner};
use crate::store_objects::check_table;

/// A store that a call may use: its name, and the OIDs that its objects have now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The namespace.
    pub namespace: Rc<str>,
    /// Its schema.
    pub schema: pg_sys::Oid,
    /// Its table `messages`.
    pub table: pg_sys::Oid,
}

/// How a call uses a store's table, and so how the table is locked until the transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It reads.
    Read,
    /// It adds messages.
    Write,
    /// It adds messages at positions of its own choice, and nobody else may write meanwhile.
    Import,
    /// It removes messages of a stream.
    Remove,
    /// It changes what a message says.
    Redact,
    /// It removes all messages, or the table itself.
    Delete,
}

impl Store {
    /// Whether this is the default store.
    pub fn is_default(&self) -> bool {
        *self.namespace == *namespace_name::DEFAULT
    }

    /// Locks the table, and answers with the store as it is then.
    ///
    /// Between resolving and locking it may have been deleted, and another made under its name: then that one is
    /// locked. Who may not use the table gets Postgres' error before the lock, and so keeps nobody waiting.
    pub fn lock(self, usage: Use) -> Result<Self> {
        let mut store = self;
        for _attempt in 0..2 {
            store.check_privileges(usage);
            lock_relation(store.table, usage.lock_mode());
            let now = find(&store.namespace)?;
            if now == store {
                return Ok(store);
            }
            check_usage(&now)?;
            store = now;
        }
        Err(missing(&store.namespace))
    }

    /// Raises Postgres' error for a table that the caller may not use in this way. One that was dropped meanwhile is
    /// found missing when it is locked.
    pub fn check_privileges(&self, usage: Use) {
        for &privilege in usage.privileges() {
            let mut is_missing = false;
            // SAFETY: a catalog look-up, which says that there is no such table instead of raising an error.
            let result = unsafe {
                pg_sys::pg_class_aclcheck_ext(self.table, pg_sys::GetUserId(), acl_mode(privilege), &mut is_missing)
            };
            if is_missing {
                return;
            }
            refuse(result, pg_sys::ObjectType::OBJECT_TABLE, "messages");
        }
    }
}

impl Use {
    fn lock_mode(self) -> c_int {
        match self {
            Self::Read => pg_sys::AccessShareLock,
            Self::Write | Self::Remove | Self::Redact => pg_sys::RowExclusiveLock,
            Self::Import => pg_sys::ShareRowExclusiveLock,
            Self::Delete => pg_sys::AccessExclusiveLock,
        }
        .cast_signed()
    }

    fn privileges(self) -> &'static [u32] {
        match self {
            Self::Read => &[pg_sys::ACL_SELECT],
            Self::Write | Self::Import => &[pg_sys::ACL_SELECT, pg_sys::ACL_INSERT],
            Self::Remove => &[pg_sys::ACL_SELECT, pg_sys::ACL_DELETE],
            Self::Redact => &[pg_sys::ACL_SELECT, pg_sys::ACL_UPDATE],
            // The owner's, which is checked where it is used.
            Self::Delete => &[],
        }
    }
}

/// The store of a call, once it is certain that the caller may use its schema.
pub fn resolve(argument: Option<Text<'_>>) -> Result<Store> {
    let store = match argument {
        Some(name) => find(namespace_name::check(Some(name.bytes()))?)?,
        None => match from_search_path() {
            Some(name) => find(&name)?,
            None => find(namespace_name::DEFAULT)?,
        },
    };
    check_usage(&store)?;
    Ok(store)
}

/// The store of a namespace, whoever asks.
pub fn find(name: &str) -> Result<Store> {
    find_once(name, || look_up(name))
}

/// What is said of a store that is not there.
fn missing(name: &str) -> Error {
    if name == namespace_name::DEFAULT {
        Error::DefaultStoreMissing
    } else {
        Error::NamespaceDoesNotExist(Some(name.to_owned()))
    }
}

fn look_up(name: &str) -> Result<Store> {
    let missing = || missing(name);
    let owner = match name {
        namespace_name::DEFAULT => None,
        name => Some(recorded_owner(name).ok_or_else(missing)?),
    };
    let schema = schema_oid(name).ok_or_else(missing)?;
    if owner.is_some() && owner != schema_owner(schema) {
        return Err(Error::NamespaceOwnerChanged(name.to_owned()));
    }
    let table = relation_oid("messages", schema).ok_or_else(missing)?;
    if owner.is_some() && owner != relation_owner(table) {
        return Err(Error::NamespaceOwnerChanged(name.to_owned()));
    }
    check_once(table, || check_table(name, schema))?;
    Ok(Store { namespace: name.into(), schema, table })
}

/// The first registered namespace in the `search_path` setting as written, the default one included.
fn from_search_path() -> Option<String> {
    thread_local! {
        /// The setting as it was last read, and the names in it.
        static LAST: RefCell<(CString, Vec<String>)> = RefCell::default();
    }
    // SAFETY: the setting is a NUL-terminated text that stays while it is compared and copied.
    let setting = unsafe { CStr::from_ptr(pg_sys::namespace_search_path) };
    LAST.with_borrow_mut(|(text, names)| {
        if text.as_c_str() != setting {
            *names = identifiers(setting);
            *text = setting.to_owned();
        }
        names.iter().find_map(|name| {
            // SAFETY: reads the backend's state.
            let user = (name == "$user").then(|| role_name(unsafe { pg_sys::GetUserId() }));
            let name = user.as_deref().unwrap_or(name);
            let valid = namespace_name::check(Some(name.as_bytes())).is_ok();
            (valid && is_registered(name)).then(|| name.to_owned())
        })
    })
}

/// The identifiers in a list, as Postgres reads them; none where it could not.
fn identifiers(list: &CStr) -> Vec<String> {
    // SAFETY: the splitter writes into the copy, which is as long as the text; its list is of pointers into it.
    unsafe {
        let copy = pg_sys::pstrdup(list.as_ptr());
        let mut names = std::ptr::null_mut();
        if !pg_sys::SplitIdentifierString(copy, b',' as std::ffi::c_char, &mut names) || names.is_null() {
            return Vec::new();
        }
        let count = usize::try_from((*names).length).unwrap_or(0);
        (0..count)
            .map(|i| CStr::from_ptr((*(*names).elements.add(i)).ptr_value.cast()).to_string_lossy().into_owned())
            .collect()
    }
}

/// The name of a role, empty for one that was dropped.
pub fn role_name(role: pg_sys::Oid) -> String {
    // SAFETY: a catalog look-up; the name is null for a role that was dropped.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        if name.is_null() { String::new() } else { decoded(CStr::from_ptr(name).to_bytes()) }
    }
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

/// Waits for a lock on a relation, which is released when the transaction ends.
pub fn lock_relation(relation: pg_sys::Oid, mode: c_int) {
    // SAFETY: a plain call.
    unsafe { protect(|| raw::LockRelationOid(relation, mode)) };
}

/// The owner of a schema.
pub fn schema_owner(schema: pg_sys::Oid) -> Option<pg_sys::Oid> {
    oid_column(pg_sys::SysCacheIdentifier::NAMESPACEOID, schema, pg_sys::Anum_pg_namespace_nspowner)
}

/// The owner of a relation.
pub fn relation_owner(relation: pg_sys::Oid) -> Option<pg_sys::Oid> {
    oid_column(pg_sys::SysCacheIdentifier::RELOID, relation, pg_sys::Anum_pg_class_relowner)
}

fn oid_column(cache: pg_sys::SysCacheIdentifier::Type, object: pg_sys::Oid, column: u32) -> Option<pg_sys::Oid> {
    u32::try_from(catalog_value(cache, object, column)?).ok().map(pg_sys::Oid::from)
}

/// A column of a catalog's row, of a type that is passed by value; `None` without the row.
pub fn catalog_value(cache: pg_sys::SysCacheIdentifier::Type, object: pg_sys::Oid, column: u32) -> Option<usize> {
    let (cache, column) = (cache.cast_signed(), pg_sys::AttrNumber::try_from(column).ok()?);
    // SAFETY: a catalog look-up; the row is released after its value is copied.
    unsafe {
        let row = pg_sys::SearchSysCache1(cache, pg_sys::Datum::from(object));
        if row.is_null() {
            return None;
        }
        let mut is_null = false;
        let value = pg_sys::SysCacheGetAttr(cache, row, column, &mut is_null);
        pg_sys::ReleaseSysCache(row);
        Some(value.value())
    }
}

fn existing(oid: pg_sys::Oid) -> Option<pg_sys::Oid> {
    (oid != pg_sys::InvalidOid).then_some(oid)
}

/// Raises Postgres' error for a schema that the caller may not use.
///
/// The privilege is checked by name look-ups only, and a kept plan does none: so it is checked here, at each call.
fn check_usage(store: &Store) -> Result<()> {
    let none = pg_sys::Datum::null();
    // SAFETY: a catalog look-up. What it has found stays known until something is locked: the next one raises no error
    // of its own.
    let exists = unsafe {
        let schemas = pg_sys::SysCacheIdentifier::NAMESPACEOID.cast_signed();
        pg_sys::SearchSysCacheExists(schemas, pg_sys::Datum::from(store.schema), none, none, none)
    };
    if !exists {
        return Err(missing(&store.namespace));
    }
    // SAFETY: a catalog look-up.
    let result = unsafe { schema_aclcheck(store.schema, pg_sys::GetUserId(), pg_sys::ACL_USAGE) };
    refuse(result, pg_sys::ObjectType::OBJECT_SCHEMA, &store.namespace);
    Ok(())
}

/// Raises Postgres' error for a schema that the caller does not own.
pub fn check_ownership(schema: pg_sys::Oid, name: &str) {
    // SAFETY: a catalog look-up.
    if !unsafe { schema_ownercheck(schema, pg_sys::GetUserId()) } {
        refuse(pg_sys::AclResult::ACLCHECK_NOT_OWNER, pg_sys::ObjectType::OBJECT_SCHEMA, name);
    }
}

/// Raises Postgres' error for a privilege that was looked for and not found.
pub fn refuse(result: pg_sys::AclResult::Type, kind: pg_sys::ObjectType::Type, name: &str) {
    if result != pg_sys::AclResult::ACLCHECK_OK {
        let name = CString::new(name).unwrap_or_default();
        let name = name.as_ptr();
        // SAFETY: raises the error; the name outlives the call.
        unsafe { protect(|| raw::aclcheck_error(result, kind, name)) };
    }
}

mod raw {
    use std::ffi::{c_char, c_int};

    use pgrx::pg_sys::{AclResult, ObjectType, Oid};

    unsafe extern "C-unwind" {
        pub fn aclcheck_error(result: AclResult::Type, kind: ObjectType::Type, name: *const c_char);
        pub fn LockRelationOid(relation: Oid, mode: c_int);
    }
}
