//! The objects a store is made of, and making them: the same SQL files for every namespace.

use std::ffi::{CStr, CString};

use message_store_core::{Error, Result};
use pgrx::pg_sys;

use crate::grants::quoted;
use crate::namespace::{Store, lock_relation, relation_oid, relation_owner, role_name};
use crate::postgres_version::attributes;
use crate::setting_guard::SettingGuard;
use crate::spi::Spi;

/// One relation of a store, and the file that creates it.
pub struct Relation {
    name: &'static str,
    kind: Kind,
    sql: &'static str,
    /// What Message DB's role is granted on it in the default store.
    granted: &'static str,
}

#[derive(PartialEq, Eq)]
enum Kind {
    Table,
    Index,
    View,
}

macro_rules! relation {
    ($kind:ident $name:literal, $granted:literal) => {
        relation!($kind $name, $granted, $name)
    };
    ($kind:ident $name:literal, $granted:literal, $file:literal) => {
        Relation {
            name: $name,
            kind: Kind::$kind,
            sql: include_str!(concat!("../../sql/postgres/store/", $file, ".sql")),
            granted: $granted,
        }
    };
}

/// Every relation of a store, in the order in which they are created.
const RELATIONS: [Relation; 12] = [
    relation!(Table "messages", "SELECT, INSERT", "table"),
    relation!(Index "messages_id", ""),
    relation!(Index "messages_stream", ""),
    relation!(Index "messages_category", ""),
    relation!(View "stream_summary", "SELECT"),
    relation!(View "type_summary", "SELECT"),
    relation!(View "stream_type_summary", "SELECT"),
    relation!(View "type_stream_summary", "SELECT"),
    relation!(View "category_type_summary", "SELECT"),
    relation!(View "type_category_summary", "SELECT"),
    relation!(Table "stream_heads", "SELECT"),
    relation!(Table "consumer_positions", "SELECT, INSERT, UPDATE"),
];

/// The table of messages.
pub const MESSAGES: &str = "messages";
/// The sequence that the table's first column owns.
pub const SEQUENCE: &str = "messages_global_position_seq";

/// The constraint that a table has while its writers lock by stream. It allows every row: what it does is be there, in
/// the relation cache of every connection, in each dump, and changed only under an exclusive lock.
pub const BY_STREAM: &CStr = c"message_store_append_lock_stream";
/// Likewise, while they tell who listens.
pub const NOTIFIES: &CStr = c"message_store_notify";

/// Creates what is missing of the store in a schema, and says what that was.
pub fn create_missing(spi: &Spi, schema: &str, oid: pg_sys::Oid) -> Result<Vec<&'static Relation>> {
    let missing: Vec<&'static Relation> =
        RELATIONS.iter().filter(|relation| relation_oid(relation.name, oid).is_none()).collect();
    if missing.iter().all(|relation| relation.name != MESSAGES) {
        check_table(schema, oid)?;
    }
    let _settings = search_path(schema);
    for relation in &missing {
        spi.script(relation.sql);
    }
    Ok(missing)
}

/// The names of all relations of a store.
pub fn names() -> impl Iterator<Item = &'static str> {
    RELATIONS.iter().map(|relation| relation.name).chain([SEQUENCE])
}

/// The names of the tables of a store.
fn tables() -> impl Iterator<Item = &'static str> {
    RELATIONS.iter().filter(|relation| relation.kind == Kind::Table).map(|relation| relation.name)
}

/// The names of the views of a store.
fn views() -> impl Iterator<Item = &'static str> {
    RELATIONS.iter().filter(|relation| relation.kind == Kind::View).map(|relation| relation.name)
}

/// Drops the store in a schema, and the schema; with `cascade`, whatever is in it or depends on it too.
pub fn drop_store(spi: &Spi, schema: &str, cascade: bool) {
    if cascade {
        spi.script(&format!("DROP SCHEMA \"{schema}\" CASCADE"));
        return;
    }
    for view in views() {
        spi.script(&format!("DROP VIEW IF EXISTS \"{schema}\".{view}"));
    }
    for table in tables() {
        spi.script(&format!("DROP TABLE IF EXISTS \"{schema}\".{table}"));
    }
    spi.script(&format!("DROP SCHEMA \"{schema}\""));
}

/// Gives the views of an adopted Message DB this project's text, and returns them. They are members of the extension that
/// is being created; what is granted on them stays.
pub fn replace_adopted_views(spi: &Spi, schema: &str, oid: pg_sys::Oid) -> Vec<&'static Relation> {
    let is_member = |view: pg_sys::Oid| {
        // SAFETY: reads the backend's state and the catalog.
        unsafe {
            let extension = pg_sys::getExtensionOfObject(pg_sys::RelationRelationId, view);
            extension != pg_sys::InvalidOid && extension == pg_sys::CurrentExtensionObject
        }
    };
    let _settings = search_path(schema);
    let adopted = RELATIONS
        .iter()
        .filter(|relation| relation.kind == Kind::View && relation_oid(relation.name, oid).is_some_and(is_member));
    adopted.inspect(|view| spi.script(view.sql)).collect()
}

/// Gives what was created to the schema's owner, where somebody else has created it.
pub fn give_to(spi: &Spi, schema: &str, created: &[&Relation], owner: pg_sys::Oid) {
    // SAFETY: reads the backend's state.
    if owner == unsafe { pg_sys::GetUserId() } {
        return;
    }
    let owner = quoted(&role_name(owner));
    for relation in created.iter().filter(|relation| relation.kind != Kind::Index) {
        spi.script(&format!("ALTER TABLE \"{schema}\".{} OWNER TO {owner}", relation.name));
    }
}

/// Grants Message DB's role what it has there on what was created of the default store.
pub fn grant_to_role(spi: &Spi, schema: &str, created: &[&Relation]) {
    let grant = |granted: &str, on: &str, name: &str| {
        spi.script(&format!("GRANT {granted} ON {on} \"{schema}\".{name} TO message_store"));
    };
    for relation in created.iter().filter(|relation| !relation.granted.is_empty()) {
        grant(relation.granted, "TABLE", relation.name);
        if relation.name == MESSAGES {
            grant("USAGE, SELECT", "SEQUENCE", SEQUENCE);
        }
    }
}

/// Makes what an installation has just created independent of the extension.
///
/// A member's rows, and what a user adds to a member, are not dumped, and dropping the extension would drop them.
pub fn detach_from_extension(spi: &Spi, schema: &str, created: &[&Relation]) {
    let detach = |kind: &str, name: &str| {
        spi.script(&format!("ALTER EXTENSION message_store DROP {kind} \"{schema}\".{name}"));
    };
    for relation in created {
        match relation.kind {
            Kind::Table => {
                detach("TABLE", relation.name);
                if relation.name == MESSAGES {
                    detach("SEQUENCE", SEQUENCE);
                }
            }
            Kind::View => detach("VIEW", relation.name),
            // An index goes with its table.
            Kind::Index => {}
        }
    }
}

/// The columns that a table of messages has, in their order.
pub const COLUMNS: [(&CStr, pg_sys::Oid); 8] = [
    (c"global_position", pg_sys::INT8OID),
    (c"position", pg_sys::INT8OID),
    (c"time", pg_sys::TIMESTAMPOID),
    (c"stream_name", pg_sys::TEXTOID),
    (c"type", pg_sys::TEXTOID),
    (c"data", pg_sys::JSONBOID),
    (c"metadata", pg_sys::JSONBOID),
    (c"id", pg_sys::UUIDOID),
];

/// Refuses a schema whose `messages` is missing or is not a table of messages.
///
/// A view, or a column of another type, could run code of the schema's owner with the rights of whoever reads.
pub fn check_table(schema: &str, oid: pg_sys::Oid) -> Result<()> {
    let refused = || Error::NotAMessageStore(schema.to_owned());
    let table = relation_oid("messages", oid).ok_or_else(refused)?;
    // SAFETY: a catalog look-up.
    let kind = u8::try_from(unsafe { pg_sys::get_rel_relkind(table) });
    if !kind.is_ok_and(|kind| [pg_sys::RELKIND_RELATION, pg_sys::RELKIND_PARTITIONED_TABLE].contains(&kind)) {
        return Err(refused());
    }
    if has_columns(table, &COLUMNS) { Ok(()) } else { Err(refused()) }
}

/// Locks a table of a store other than `messages`, so that it stays what it is until the transaction ends, and refuses one
/// that is not what it should be.
pub fn lock_table_beside(store: &Store, name: &str, columns: &[(&CStr, pg_sys::Oid)]) -> Result<()> {
    let mut table = check_table_beside(store, name, columns)?;
    loop {
        lock_relation(table, pg_sys::AccessShareLock.cast_signed());
        // It may have changed while its lock was waited for.
        let now = check_table_beside(store, name, columns)?;
        if now == table {
            return Ok(());
        }
        table = now;
    }
}

/// Refuses a table of a store other than `messages` that does not begin with these columns, or is not its owner's: it
/// could run somebody's code with the rights of whoever uses it. Without the table an earlier release has made the store.
fn check_table_beside(store: &Store, name: &str, columns: &[(&CStr, pg_sys::Oid)]) -> Result<pg_sys::Oid> {
    let namespace = || store.namespace.as_ref().to_owned();
    let table = relation_oid(name, store.schema).ok_or_else(|| Error::NamespaceIsIncomplete(namespace()))?;
    // SAFETY: a catalog look-up.
    let kind = u8::try_from(unsafe { pg_sys::get_rel_relkind(table) });
    if kind != Ok(pg_sys::RELKIND_RELATION) || !has_columns(table, columns) {
        return Err(Error::NotAMessageStore(namespace()));
    }
    if relation_owner(table) == relation_owner(store.table) {
        Ok(table)
    } else {
        Err(Error::NamespaceOwnerChanged(namespace()))
    }
}

/// Whether the columns of an open relation, or of rows, begin with these types.
///
/// # Safety
/// As for [`attributes`].
pub unsafe fn begin_with(columns: pg_sys::TupleDesc, kinds: &[pg_sys::Oid]) -> bool {
    // SAFETY: as the caller's.
    let columns = unsafe { attributes(columns) };
    columns.len() >= kinds.len() && columns.iter().zip(kinds).all(|(column, kind)| column.atttypid == *kind)
}

/// Whether a table begins with these columns.
fn has_columns(table: pg_sys::Oid, columns: &[(&CStr, pg_sys::Oid)]) -> bool {
    (1..).zip(columns).all(|(number, (name, kind))| {
        // SAFETY: catalog look-ups of an attribute that may be missing: then the name is null.
        unsafe {
            let found = pg_sys::get_attname(table, number, true);
            !found.is_null() && CStr::from_ptr(found) == *name && pg_sys::get_atttype(table, number) == *kind
        }
    })
}

/// A search_path of one schema, for as long as it lives.
fn search_path(schema: &str) -> SettingGuard {
    let value = CString::new(format!("\"{schema}\", pg_temp")).unwrap_or_default();
    SettingGuard::set(&[(c"search_path", &value)])
}

/// Those of the store's tables and views that a schema has.
pub fn existing(schema: pg_sys::Oid) -> impl Iterator<Item = &'static str> {
    tables().chain(views()).filter(move |name| relation_oid(name, schema).is_some())
}
