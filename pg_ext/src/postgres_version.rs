//! What differs between the versions of Postgres, from 14 to 18.
//!
//! Postgres' functions that a module's `raw` declares are the same in all of them; the others are here.

use std::ffi::c_int;

use pgrx::pg_sys::{self, Oid};

#[cfg(not(feature = "pg14"))]
use crate::postgres_error::protect;

/// Up to where the log is flushed.
pub fn end_of_flushed_log() -> pg_sys::XLogRecPtr {
    // SAFETY: reads shared state; 15 and later can tell of a timeline, too.
    unsafe {
        #[cfg(feature = "pg14")]
        return pg_sys::GetFlushRecPtr();
        #[cfg(not(feature = "pg14"))]
        pg_sys::GetFlushRecPtr(std::ptr::null_mut())
    }
}

/// The first transaction whose end Postgres still knows of.
pub fn oldest_transaction_kept() -> pg_sys::TransactionId {
    // SAFETY: reads shared state.
    unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15", feature = "pg16"))]
        return (*pg_sys::ShmemVariableCache).oldestClogXid;
        #[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16")))]
        (*pg_sys::TransamVariables).oldestClogXid
    }
}

/// Makes the (empty) answer of a set-returning function: a tuple store, with the columns that the call is declared with.
///
/// # Safety
/// `fcinfo` must be that of a running call.
pub unsafe fn begin_rows(fcinfo: pg_sys::FunctionCallInfo) {
    // SAFETY: as the caller's; where a call does not take a set, this raises the usual error.
    unsafe {
        #[cfg(feature = "pg14")]
        begin_rows_by_hand(fcinfo);
        #[cfg(not(feature = "pg14"))]
        protect(|| raw::InitMaterializedSRF(fcinfo, 0));
    }
}

/// The same in 14, which has no function for it.
///
/// # Safety
/// As for [`begin_rows`].
#[cfg(feature = "pg14")]
unsafe fn begin_rows_by_hand(fcinfo: pg_sys::FunctionCallInfo) {
    use pg_sys::SetFunctionReturnMode::{SFRM_Materialize, SFRM_Materialize_Random};
    use pgrx::{PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED, ereport};
    // SAFETY: a result that takes a set says how, and has the memory that lives as long as the query.
    unsafe {
        let result = (*fcinfo).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        if result.is_null() || (*result).type_ != pg_sys::NodeTag::T_ReturnSetInfo {
            ereport!(
                ERROR,
                ERRCODE_FEATURE_NOT_SUPPORTED,
                "set-valued function called in context that cannot accept a set"
            );
        }
        let modes = (*result).allowedModes.cast_unsigned();
        if modes & SFRM_Materialize == 0 {
            ereport!(
                ERROR,
                ERRCODE_FEATURE_NOT_SUPPORTED,
                "materialize mode required, but it is not allowed in this context"
            );
        }
        let before = pg_sys::CurrentMemoryContext;
        pg_sys::CurrentMemoryContext = (*(*result).econtext).ecxt_per_query_memory;
        let mut columns = std::ptr::null_mut();
        pg_sys::get_call_result_type(fcinfo, std::ptr::null_mut(), &mut columns);
        let rows = pg_sys::tuplestore_begin_heap(modes & SFRM_Materialize_Random != 0, false, pg_sys::work_mem);
        pg_sys::CurrentMemoryContext = before;
        (*result).returnMode = SFRM_Materialize;
        (*result).setResult = rows;
        (*result).setDesc = columns;
    }
}

/// The locale by which a database sorts text, an expression of the columns of pg_database; NULL where ICU does that, which
/// a database can have from 15 on. From 17 on Postgres has locales of its own, all of which sort as C does.
#[cfg(not(feature = "pg14"))]
pub const DATABASE_ORDER: &str = "CASE WHEN datlocprovider OPERATOR(pg_catalog.=) 'c' THEN datcollate \
     WHEN datlocprovider OPERATOR(pg_catalog.=) 'b' THEN 'C' END";
/// The same in 14.
#[cfg(feature = "pg14")]
pub const DATABASE_ORDER: &str = "datcollate";

/// Privileges, `pg_sys::ACL_...`, as Postgres' functions take them: in twice as many bits from 16 on.
pub fn acl_mode(privileges: u32) -> pg_sys::AclMode {
    #[allow(clippy::useless_conversion)]
    privileges.into()
}

/// Whether a role has a privilege on a schema. From 16 on one function serves all kinds of objects.
///
/// # Safety
/// A catalog look-up, in a transaction.
pub unsafe fn schema_aclcheck(schema: Oid, role: Oid, privilege: u32) -> pg_sys::AclResult::Type {
    // SAFETY: as the caller's.
    unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        return pg_sys::pg_namespace_aclcheck(schema, role, acl_mode(privilege));
        #[cfg(not(any(feature = "pg14", feature = "pg15")))]
        pg_sys::object_aclcheck(pg_sys::NamespaceRelationId, schema, role, acl_mode(privilege))
    }
}

/// Whether a role owns a schema. Likewise.
///
/// # Safety
/// A catalog look-up, in a transaction.
pub unsafe fn schema_ownercheck(schema: Oid, role: Oid) -> bool {
    // SAFETY: as the caller's.
    unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        return pg_sys::pg_namespace_ownercheck(schema, role);
        #[cfg(not(any(feature = "pg14", feature = "pg15")))]
        pg_sys::object_ownercheck(pg_sys::NamespaceRelationId, schema, role)
    }
}

/// Whether this session holds a lock in that mode. 17 can be asked for a stronger one, too.
///
/// # Safety
/// Looks into the session's own table of locks.
pub unsafe fn lock_is_held(tag: &pg_sys::LOCKTAG, mode: c_int) -> bool {
    // SAFETY: as the caller's.
    unsafe {
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        return pg_sys::LockHeldByMe(tag, mode, false);
        #[cfg(not(any(feature = "pg17", feature = "pg18")))]
        pg_sys::LockHeldByMe(tag, mode)
    }
}

/// Opens an index scan with so many keys.
///
/// # Safety
/// Must run inside [`crate::postgres_error::protect`]; table and index must be open.
pub unsafe fn index_beginscan(
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
    keys: c_int,
) -> pg_sys::IndexScanDesc {
    // SAFETY: as the caller's. 18 can count what the scan does, for EXPLAIN.
    unsafe {
        #[cfg(feature = "pg18")]
        return raw::index_beginscan(table, index, snapshot, std::ptr::null_mut(), keys, 0);
        #[cfg(not(feature = "pg18"))]
        raw::index_beginscan(table, index, snapshot, keys, 0)
    }
}

/// The columns of a relation, `rd_att`, or of rows. 18 keeps them behind a shorter form of each.
///
/// # Safety
/// The descriptor must live, a relation's be of an open one.
pub unsafe fn attributes<'a>(descriptor: pg_sys::TupleDesc) -> &'a [pg_sys::FormData_pg_attribute] {
    // SAFETY: a descriptor has as many attributes as it says, in either form.
    unsafe {
        let count = usize::try_from((*descriptor).natts).unwrap_or(0);
        #[cfg(feature = "pg18")]
        return std::slice::from_raw_parts((*descriptor).compact_attrs.as_ptr().add(count).cast(), count);
        #[cfg(not(feature = "pg18"))]
        (*descriptor).attrs.as_slice(count)
    }
}

/// Whether no row has NULL in a column. In 18 a constraint may be there for new rows only (`NOT VALID`), and counts as
/// `attnotnull` already.
///
/// # Safety
/// The relation must be open, and the column, one of its [`attributes`].
pub unsafe fn has_no_null(relation: pg_sys::Relation, column: &pg_sys::FormData_pg_attribute) -> bool {
    #[cfg(feature = "pg18")]
    {
        let place = usize::try_from(column.attnum - 1).unwrap_or(0);
        // SAFETY: as the caller's; both forms are in the same order.
        let nullability = unsafe { (*(*(*relation).rd_att).compact_attrs.as_ptr().add(place)).attnullability };
        nullability.cast_unsigned() == pg_sys::ATTNULLABLE_VALID
    }
    #[cfg(not(feature = "pg18"))]
    {
        let _ = relation;
        column.attnotnull
    }
}

mod raw {
    #[cfg(feature = "pg18")]
    use pgrx::pg_sys::IndexScanInstrumentation;
    #[cfg(not(feature = "pg14"))]
    use pgrx::pg_sys::{FunctionCallInfo, bits32};
    use pgrx::pg_sys::{IndexScanDesc, Relation, Snapshot};
    use std::ffi::c_int;

    unsafe extern "C-unwind" {
        #[cfg(not(feature = "pg14"))]
        pub fn InitMaterializedSRF(fcinfo: FunctionCallInfo, flags: bits32);
        pub fn index_beginscan(
            table: Relation,
            index: Relation,
            snapshot: Snapshot,
            #[cfg(feature = "pg18")] instrument: *mut IndexScanInstrumentation,
            keys: c_int,
            orders: c_int,
        ) -> IndexScanDesc;
    }
}
