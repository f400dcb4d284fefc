//! What a store's table is made of now, as far as reaching it without the executor depends on it.
//!
//! The direct paths know one kind of table: an ordinary heap with the columns, defaults and indexes that stores are
//! created with. Whatever a user has added that takes the executor's care, such as row security, a trigger or one more
//! index, leaves the table to SQL statements.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CStr;

use message_store_core::namespace_option::AppendLock;
use pgrx::pg_sys::{self, Oid};

use crate::expression_tree::{as_node, is_text, list};
use crate::namespace::Store;
use crate::postgres_version::{attributes, has_no_null};
use crate::settings;
use crate::store_objects::{BY_STREAM, COLUMNS, NOTIFIES};
use crate::table_indexes::{self, Found};

/// The columns by their numbers, which every table of messages has in this order.
pub mod column {
    #![allow(missing_docs)] // their names say it
    pub const GLOBAL_POSITION: i16 = 1;
    pub const POSITION: i16 = 2;
    pub const TIME: i16 = 3;
    pub const STREAM_NAME: i16 = 4;
    pub const TYPE: i16 = 5;
    pub const DATA: i16 = 6;
    pub const METADATA: i16 = 7;
    pub const ID: i16 = 8;
    /// How many there are.
    pub const COUNT: usize = 8;
}

/// An index of a store, by what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// Every message, by global position.
    GlobalPosition,
    /// A message, by its id.
    Id,
    /// The messages of a stream, by position.
    Stream,
    /// The messages of a category, by global position, with the category that each is correlated with.
    Category,
}

/// What the direct paths may rely on.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Whether its indexes lead to all of its rows.
    is_whole: bool,
    /// Whether rows may be read past the executor.
    readable: bool,
    /// The usable indexes, in the order in which Postgres keeps them.
    indexes: [Option<(Index, Oid)>; 4],
    insert: Option<Insert>,
    /// The sequence that global positions are drawn from by default, if they are from any.
    pub sequence: Option<Oid>,
    /// Whether writing to the table writes nothing else: no trigger, no rule, no code of the user's at all.
    pub is_self_contained: bool,
    /// What its writers lock.
    pub append_lock: AppendLock,
    /// Whether they tell who listens.
    pub notify: bool,
}

/// What adding rows takes.
#[derive(Debug, Clone, Copy)]
pub struct Insert {
    /// The sequence of global positions.
    pub sequence: Oid,
    /// All of the table's indexes, in the order in which Postgres fills them.
    pub indexes: [(Index, Oid); 4],
    /// The columns that take no NULL.
    pub not_null: [bool; column::COUNT],
}

impl Layout {
    /// The index to read by, where reading past the executor is possible.
    pub fn index(&self, wanted: Index) -> Option<Oid> {
        let found = self.indexes.iter().flatten().find(|(index, _)| *index == wanted);
        found.filter(|_| self.readable && settings::direct_access()).map(|(_, oid)| *oid)
    }

    /// The index to look for any message by, one that row security hides from the caller included: never to show it.
    pub fn index_of_all(&self, wanted: Index) -> Option<Oid> {
        let found = self.indexes.iter().flatten().find(|(index, _)| *index == wanted);
        found.filter(|_| self.is_whole).map(|(_, oid)| *oid)
    }

    /// How rows may be added past the executor.
    pub fn insert(&self) -> Option<Insert> {
        self.insert.filter(|_| settings::direct_access())
    }
}

thread_local! {
    static LAYOUTS: RefCell<HashMap<Oid, Layout>> = RefCell::default();
    /// Counts the changes that were heard of.
    static GENERATION: Cell<u64> = const { Cell::new(0) };
    static LISTENING: Cell<bool> = const { Cell::new(false) };
}

/// How many tables are kept before all are looked at anew.
const MAX_KEPT: usize = 16_384;

/// The layout of a store's table, which must be locked: then nobody changes it.
pub fn of(store: &Store) -> Layout {
    if let Some(layout) = LAYOUTS.with_borrow(|layouts| layouts.get(&store.table).copied()) {
        return layout;
    }
    if !LISTENING.replace(true) {
        // SAFETY: the callback lives as long as the backend.
        unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(forget), pg_sys::Datum::null()) };
    }
    let generation = GENERATION.get();
    let layout = look(store.table);
    if generation == GENERATION.get() {
        LAYOUTS.with_borrow_mut(|layouts| {
            if layouts.len() >= MAX_KEPT {
                layouts.clear();
            }
            layouts.insert(store.table, layout);
        });
    }
    layout
}

/// Postgres calls it with the OID of a changed relation, or with none when any may have changed. It must not fail.
unsafe extern "C-unwind" fn forget(_argument: pg_sys::Datum, changed: Oid) {
    LAYOUTS.with(|layouts| {
        if let Ok(mut layouts) = layouts.try_borrow_mut() {
            if changed == pg_sys::InvalidOid {
                layouts.clear();
                GENERATION.set(GENERATION.get() + 1);
            } else if layouts.remove(&changed).is_none() {
                // Perhaps the one that is being looked at.
                GENERATION.set(GENERATION.get() + 1);
            }
        }
    });
}

fn look(table: Oid) -> Layout {
    // SAFETY: the caller has locked the table, so it can be opened without another lock. What is read of it and of its
    // indexes is the relation cache's, which keeps it while they are open.
    unsafe {
        let relation = pg_sys::table_open(table, pg_sys::NoLock.cast_signed());
        let found = table_indexes::of(relation);
        let usable = || found.iter().filter_map(|found| found.index.map(|index| (index, found.oid)));
        let mut slots = [None; 4];
        for (slot, index) in slots.iter_mut().zip(usable()) {
            *slot = Some(index);
        }
        let class = &*(*relation).rd_rel;
        let is_heap = class.relkind.cast_unsigned() == pg_sys::RELKIND_RELATION
            && class.relam == pg_sys::HEAP_TABLE_AM_OID
            && has_plain_columns(relation);
        let is_whole = is_heap && !class.relhassubclass;
        let readable = is_whole && !class.relrowsecurity;
        let is_self_contained = is_heap
            && !class.relrowsecurity
            && adds_nothing(relation)
            && sequence_of_defaults(relation).is_some()
            && !found.iter().any(|found| found.runs_code)
            && (*relation).trigdesc.is_null()
            && (*relation).rd_rules.is_null()
            && class.relpersistence.cast_unsigned() == pg_sys::RELPERSISTENCE_PERMANENT;
        let takes_rows = readable && is_self_contained && !class.relispartition;
        let insert = (takes_rows && found.len() == 4 && usable().count() == 4).then(|| insert(relation, &found));
        let layout = Layout {
            is_whole,
            readable,
            indexes: slots,
            insert: insert.flatten(),
            sequence: sequence_of_rows(relation),
            is_self_contained,
            append_lock: if has_constraint(relation, BY_STREAM) { AppendLock::Stream } else { AppendLock::Category },
            notify: has_constraint(relation, NOTIFIES),
        };
        pg_sys::table_close(relation, pg_sys::NoLock.cast_signed());
        layout
    }
}

/// Whether the columns have the types of a store's, without a modifier, and are stored, text compares by its bytes, and
/// only data and metadata can be NULL. The table is locked now; it may have changed since it was first looked at.
///
/// # Safety
/// The relation must be open.
unsafe fn has_plain_columns(relation: pg_sys::Relation) -> bool {
    // SAFETY: as the caller's.
    unsafe {
        let columns = attributes((*relation).rd_att);
        columns.len() >= column::COUNT
            && columns.iter().zip(&COLUMNS).all(|(column, (_, kind))| {
                column.atttypid == *kind
                    && column.atttypmod == -1
                    && column.attgenerated == 0
                    && [pg_sys::InvalidOid, pg_sys::DEFAULT_COLLATION_OID].contains(&column.attcollation)
                    && (has_no_null(relation, column) || [column::DATA, column::METADATA].contains(&column.attnum))
            })
    }
}

/// Whether the executor would add nothing to a row of the store's eight columns: no column more, no generated one, no
/// constraint but that of an option.
///
/// # Safety
/// The relation must be open.
unsafe fn adds_nothing(relation: pg_sys::Relation) -> bool {
    // SAFETY: as the caller's.
    unsafe {
        let columns = attributes((*relation).rd_att);
        let constraints = check_constraints(relation);
        columns.len() == column::COUNT
            && columns.iter().all(|column| !column.attisdropped && column.attgenerated == 0 && column.attidentity == 0)
            && constraints
                .iter()
                .all(|constraint| OPTIONS.contains(&CStr::from_ptr(constraint.ccname)) && is_true(constraint))
    }
}

/// Whether a constraint allows every row.
///
/// # Safety
/// It must be one of an open relation.
unsafe fn is_true(constraint: &pg_sys::ConstrCheck) -> bool {
    // SAFETY: the text is an expression tree that Postgres has written.
    unsafe {
        as_node::<pg_sys::Const>(pg_sys::stringToNode(constraint.ccbin).cast()).is_some_and(|value| {
            value.consttype == pg_sys::BOOLOID && !value.constisnull && value.constvalue.value() != 0
        })
    }
}

/// # Safety
/// The relation must be open.
unsafe fn check_constraints<'a>(relation: pg_sys::Relation) -> &'a [pg_sys::ConstrCheck] {
    // SAFETY: the relation cache's list has as many constraints as it says.
    unsafe {
        let constraints = (*(*relation).rd_att).constr;
        if constraints.is_null() || (*constraints).num_check == 0 {
            return &[];
        }
        std::slice::from_raw_parts((*constraints).check, (*constraints).num_check.into())
    }
}

/// The constraints that are options.
const OPTIONS: [&CStr; 2] = [BY_STREAM, NOTIFIES];

/// Whether an option is set.
///
/// # Safety
/// The relation must be open.
unsafe fn has_constraint(relation: pg_sys::Relation, name: &CStr) -> bool {
    // SAFETY: as the caller's; names are NUL-terminated.
    unsafe { check_constraints(relation).iter().any(|constraint| CStr::from_ptr(constraint.ccname) == name) }
}

/// The sequence of global positions, where the defaults are those of a store.
///
/// # Safety
/// The relation must be open.
unsafe fn sequence_of_defaults(relation: pg_sys::Relation) -> Option<Oid> {
    // SAFETY: as the caller's; the default is a copy.
    unsafe {
        let sequence = sequence_of_rows(relation)?;
        is_transaction_time(pg_sys::build_column_default(relation, column::TIME.into())).then_some(sequence)
    }
}

/// The sequence of global positions.
///
/// # Safety
/// The relation must be open.
unsafe fn sequence_of_rows(relation: pg_sys::Relation) -> Option<Oid> {
    // SAFETY: as the caller's; the default is a copy.
    unsafe { sequence_of(pg_sys::build_column_default(relation, column::GLOBAL_POSITION.into())) }
}

/// What adding rows takes, where the defaults are those of a store.
///
/// # Safety
/// The relation must be open.
unsafe fn insert(relation: pg_sys::Relation, found: &[Found]) -> Option<Insert> {
    // SAFETY: as the caller's.
    unsafe {
        let sequence = sequence_of_defaults(relation)?;
        let mut indexes = [(Index::GlobalPosition, pg_sys::InvalidOid); 4];
        for (slot, found) in indexes.iter_mut().zip(found) {
            *slot = (found.index?, found.oid);
        }
        let mut not_null = [false; column::COUNT];
        for (slot, column) in not_null.iter_mut().zip(attributes((*relation).rd_att)) {
            *slot = column.attnotnull;
        }
        Some(Insert { sequence, indexes, not_null })
    }
}

/// The sequence of `nextval('...'::regclass)`, or of an identity column.
///
/// # Safety
/// The node must be null or an expression tree.
unsafe fn sequence_of(default: *mut pg_sys::Node) -> Option<Oid> {
    // SAFETY: as the caller's.
    unsafe {
        if let Some(identity) = as_node::<pg_sys::NextValueExpr>(default) {
            return Some(identity.seqid);
        }
        let call = as_node::<pg_sys::FuncExpr>(default)?;
        let arguments = list(call.args);
        let [argument] = arguments[..] else { return None };
        let sequence = as_node::<pg_sys::Const>(argument)?;
        let is_plain = call.funcid.to_u32() == pg_sys::F_NEXTVAL && !sequence.constisnull;
        is_plain.then(|| u32::try_from(sequence.constvalue.value()).ok().map(Oid::from)).flatten()
    }
}

/// Whether it is `now() AT TIME ZONE 'utc'`.
///
/// # Safety
/// The node must be null or an expression tree.
unsafe fn is_transaction_time(default: *mut pg_sys::Node) -> bool {
    // SAFETY: as the caller's.
    unsafe {
        let Some(call) = as_node::<pg_sys::FuncExpr>(default) else { return false };
        let arguments = list(call.args);
        let [zone, time] = arguments[..] else { return false };
        call.funcid.to_u32() == pg_sys::F_TIMEZONE_TEXT_TIMESTAMPTZ
            && is_text(zone, b"utc")
            && as_node::<pg_sys::FuncExpr>(time).is_some_and(|time| time.funcid.to_u32() == pg_sys::F_NOW)
    }
}
