//! The indexes of a store's table: which of them are those that stores are created with.

use std::ffi::CStr;

use pgrx::pg_sys::{self, Oid};

use crate::expression_tree::{as_node, is_column, is_text, list, without_relabel};
use crate::namespace::schema_oid;
use crate::table_layout::{Index, column};

/// An index of the table.
pub struct Found {
    /// Its OID.
    pub oid: Oid,
    /// Which of a store's it is.
    pub index: Option<Index>,
    /// Whether it computes its entries, or which rows are in it, by functions of the user's: whatever they are declared to
    /// be, they may write.
    pub runs_code: bool,
}

/// Every index of the table.
///
/// # Safety
/// The relation must be open.
pub unsafe fn of(relation: pg_sys::Relation) -> Vec<Found> {
    // SAFETY: the list is a copy of OIDs; each index stays locked while it is looked at.
    unsafe {
        let list = pg_sys::RelationGetIndexList(relation);
        let count = if list.is_null() { 0 } else { usize::try_from((*list).length).unwrap_or(0) };
        (0..count)
            .map(|i| {
                let oid = (*(*list).elements.add(i)).oid_value;
                let index = pg_sys::index_open(oid, pg_sys::AccessShareLock.cast_signed());
                let kind = kind_of_index(index);
                let is_plain = pg_sys::RelationGetIndexExpressions(index).is_null()
                    && pg_sys::RelationGetIndexPredicate(index).is_null();
                pg_sys::index_close(index, pg_sys::NoLock.cast_signed());
                Found { oid, index: kind, runs_code: kind.is_none() && !is_plain }
            })
            .collect()
    }
}

/// # Safety
/// The index must be open.
unsafe fn kind_of_index(index: pg_sys::Relation) -> Option<Index> {
    use column::{GLOBAL_POSITION, ID, POSITION, STREAM_NAME};
    // SAFETY: the relation cache fills these for every open index, with an entry for each key column.
    unsafe {
        let key = &*(*index).rd_index;
        let count = usize::try_from(key.indnkeyatts).ok()?;
        let has_plain_keys = (0..count).all(|i| {
            let family = *(*index).rd_opfamily.add(i);
            let collation = *(*index).rd_indcollation.add(i);
            *(*index).rd_indoption.add(i) == 0
                && FAMILIES.contains(&family.to_u32())
                && [pg_sys::InvalidOid, pg_sys::DEFAULT_COLLATION_OID].contains(&collation)
        });
        let is_usable = (*(*index).rd_rel).relam == pg_sys::BTREE_AM_OID
            && key.indisvalid
            && key.indisready
            && key.indimmediate
            && !key.indcheckxmin
            && !key.indisexclusion
            && key.indnatts == key.indnkeyatts
            && has_plain_keys
            && pg_sys::RelationGetIndexPredicate(index).is_null();
        if !is_usable {
            return None;
        }
        match (key.indisunique, key.indkey.values.as_slice(count)) {
            (true, [GLOBAL_POSITION]) => Some(Index::GlobalPosition),
            (true, [ID]) => Some(Index::Id),
            (true, [STREAM_NAME, POSITION]) => Some(Index::Stream),
            (false, [0, GLOBAL_POSITION, 0]) => expressions_are_categories(index).then_some(Index::Category),
            _ => None,
        }
    }
}

/// The operator families of btree indexes on integers, text and uuid, from Postgres' pg_opfamily.dat.
const FAMILIES: [u32; 3] = [1976, 1994, 2968];

/// Whether an index' two expressions are the category of the stream name, and that of the correlation stream's name.
///
/// # Safety
/// The index must be open.
unsafe fn expressions_are_categories(index: pg_sys::Relation) -> bool {
    // SAFETY: the list is a copy of the index' expression trees.
    unsafe {
        let expressions = list(pg_sys::RelationGetIndexExpressions(index));
        let [own, correlated] = expressions[..] else { return false };
        let is_name = argument_of_category(own).is_some_and(|node| is_column(node, column::STREAM_NAME));
        let is_correlation = argument_of_category(correlated)
            .and_then(|node| as_node::<pg_sys::OpExpr>(node))
            .is_some_and(|operation| {
                let operands = list(operation.args);
                let [object, key] = operands[..] else { return false };
                pg_sys::get_opcode(operation.opno).to_u32() == pg_sys::F_JSONB_OBJECT_FIELD_TEXT
                    && is_column(object, column::METADATA)
                    && is_text(key, b"correlationStreamName")
            });
        is_name && is_correlation
    }
}

/// The argument of a call of `message_store.category(varchar)`, if it is one.
///
/// # Safety
/// The node must be part of an expression tree.
unsafe fn argument_of_category(node: *mut pg_sys::Node) -> Option<*mut pg_sys::Node> {
    // SAFETY: as the caller's; the name is null for a function that is no more.
    unsafe {
        let call = as_node::<pg_sys::FuncExpr>(node)?;
        let name = pg_sys::get_func_name(call.funcid);
        let is_category = !name.is_null()
            && CStr::from_ptr(name) == c"category"
            && schema_oid("message_store") == Some(pg_sys::get_func_namespace(call.funcid))
            && takes_and_returns_varchar(call.funcid);
        let arguments = list(call.args);
        match arguments[..] {
            [argument] if is_category => Some(without_relabel(argument)),
            _ => None,
        }
    }
}

/// Whether a function is the one of a name that the extension makes: the name may be an overload's, too.
fn takes_and_returns_varchar(function: Oid) -> bool {
    let (mut kinds, mut count) = (std::ptr::null_mut(), 0);
    // SAFETY: a catalog look-up of a function that exists; the list is as long as the count.
    unsafe {
        let result = pg_sys::get_func_signature(function, &mut kinds, &mut count);
        count == 1 && *kinds == pg_sys::VARCHAROID && result == pg_sys::VARCHAROID
    }
}
