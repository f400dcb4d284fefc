//! What a client is told is durable: before an answer speaks of another transaction's work, the log is flushed up to
//! that transaction's commit.
//!
//! A pipelined commit ([`crate::commit_pipelining`]) is visible some milliseconds before it is flushed, and a crash in
//! between takes it back. Postgres keeps where the log must be flushed for each recent commit, beside its status.

use std::cell::Cell;

use pgrx::pg_sys::{self, TransactionId, XLogRecPtr};

use crate::postgres_error::protect;
use crate::postgres_version;

thread_local! {
    /// Whatever committed and comes before this transaction is durable. Not a transaction's id when nothing is known.
    static DURABLE_BEFORE: Cell<TransactionId> = const { Cell::new(pg_sys::InvalidTransactionId) };
    /// The same as soon as the log is flushed up to there.
    static NEXT: Cell<(TransactionId, XLogRecPtr)> = const { Cell::new((pg_sys::InvalidTransactionId, 0)) };
}

/// Collects up to where the log must be flushed before rows are handed out.
///
/// Nothing in it has a destructor, so it may be used where an error jumps.
#[derive(Clone, Copy)]
pub struct Watch {
    durable_before: TransactionId,
    last: TransactionId,
    needed: XLogRecPtr,
}

impl Watch {
    /// For a read with this snapshot; `None` where nobody asks for durability.
    ///
    /// # Safety
    /// The snapshot must be alive.
    pub unsafe fn new(snapshot: pg_sys::Snapshot) -> Option<Self> {
        if !is_wanted() {
            return None;
        }
        // SAFETY: as the caller's; the rest reads shared state.
        unsafe {
            let oldest_running = (*snapshot).xmin;
            if NEXT.get().0 == pg_sys::InvalidTransactionId {
                // Whatever ended before the snapshot was taken wrote its commit before now.
                NEXT.set((oldest_running, end_of_log()));
            }
            let (before, flushed_to) = NEXT.get();
            if postgres_version::end_of_flushed_log() >= flushed_to {
                DURABLE_BEFORE.set(before);
                NEXT.set((pg_sys::InvalidTransactionId, 0));
            }
            let mut durable_before = DURABLE_BEFORE.get();
            if pg_sys::TransactionIdFollows(durable_before, oldest_running) {
                // Ids have gone round since.
                durable_before = pg_sys::InvalidTransactionId;
                DURABLE_BEFORE.set(durable_before);
            }
            Some(Self { durable_before, last: pg_sys::InvalidTransactionId, needed: 0 })
        }
    }

    /// Takes note of a row's transaction.
    ///
    /// # Safety
    /// The slot must hold a row of a heap table, in a buffer that it has pinned, and this must run inside [`protect`].
    pub unsafe fn see(&mut self, slot: *mut pg_sys::TupleTableSlot) {
        // SAFETY: such a slot's tuple points at the row's header, in a buffer that the slot has pinned.
        unsafe {
            let tuple = (*slot.cast::<pg_sys::HeapTupleTableSlot>()).tuple;
            let header = &*(*tuple).t_data;
            if header.t_infomask & FROZEN == FROZEN {
                // Freezing does not wait for the commit's flush, but it is logged behind the commit, on the row's page.
                let page = (*slot.cast::<pg_sys::BufferHeapTupleTableSlot>()).buffer;
                self.needed = self.needed.max(raw::BufferGetLSNAtomic(page));
                return;
            }
            let writer = header.t_choice.t_heap.t_xmin;
            let is_known =
                writer == self.last || (is_normal(self.durable_before) && precedes(writer, self.durable_before));
            if is_known || !is_normal(writer) {
                return;
            }
            self.last = writer;
            self.needed = self.needed.max(raw::TransactionIdGetCommitLSN(writer));
        }
    }

    /// Flushes the log as far as the rows seen need it.
    pub fn flush(self) {
        if self.needed > 0 {
            flush(self.needed);
        }
    }
}

const FROZEN: u16 = pg_sys::HEAP_XMIN_FROZEN as u16; // two bits of sixteen

fn is_normal(transaction: TransactionId) -> bool {
    transaction >= pg_sys::FirstNormalTransactionId
}

/// Whether one transaction comes before another; both must be normal. Ids go round.
fn precedes(one: TransactionId, other: TransactionId) -> bool {
    one.into_inner().wrapping_sub(other.into_inner()).cast_signed() < 0
}

/// Whether answers must be durable: not on a standby, and not for a session whose own commits need not be.
fn is_wanted() -> bool {
    // SAFETY: reads the backend's state.
    unsafe {
        pg_sys::synchronous_commit > pg_sys::SyncCommitLevel::SYNCHRONOUS_COMMIT_OFF.cast_signed()
            && !pg_sys::RecoveryInProgress()
    }
}

/// How many transactions share one entry of Postgres' table of commits and log positions, from its clog.c.
const GROUP: u32 = 32;
/// Beyond so many entries the whole log is flushed instead.
const MAX_GROUPS: u32 = 4096;

/// Flushes the log as far as anything needs it that a statement of this transaction may have seen.
pub fn flush_visible() {
    if !is_wanted() {
        return;
    }
    // SAFETY: reads shared state; the look-ups are of transactions that have been started and are still kept.
    unsafe {
        let next = TransactionId::from(pg_sys::ReadNextFullTransactionId().value as u32); // its low half
        let known = DURABLE_BEFORE.get();
        let distance = next.into_inner().wrapping_sub(known.into_inner());
        let is_kept = is_normal(known) && !precedes(known, postgres_version::oldest_transaction_kept());
        if !is_kept || distance > GROUP * MAX_GROUPS {
            flush(end_of_log());
            return;
        }
        if distance == 0 {
            return;
        }
        let mut needed = 0;
        let mut transaction = known.into_inner();
        loop {
            // Where ids go round, the first ones of a group are no transactions'.
            let id = TransactionId::from(transaction).max(pg_sys::FirstNormalTransactionId);
            // Not TransactionIdGetCommitLSN: that remembers what it last said of a transaction, and another one of the
            // group may have committed since.
            let mut group = 0;
            protect(|| raw::TransactionIdGetStatus(id, &mut group));
            needed = needed.max(group);
            let step = GROUP - transaction % GROUP;
            if next.into_inner().wrapping_sub(transaction) <= step {
                break;
            }
            transaction = transaction.wrapping_add(step);
        }
        if needed > 0 {
            flush(needed);
        }
    }
}

/// The end of the last record in the log. Where that is the end of a page, Postgres names the place behind the next
/// page's header instead, up to which nothing can be flushed.
fn end_of_log() -> XLogRecPtr {
    const PAGE: u64 = pg_sys::XLOG_BLCKSZ as u64;
    /// The header of a page, and of a segment's first page.
    const HEADER: u64 = 24;
    const SEGMENT_HEADER: u64 = 40;
    // SAFETY: reads shared state.
    let (next, segment) =
        unsafe { (pg_sys::GetXLogInsertRecPtr(), i64::from(pg_sys::wal_segment_size).cast_unsigned()) };
    if next % PAGE == HEADER || next % segment == SEGMENT_HEADER { next - next % PAGE } else { next }
}

fn flush(to: XLogRecPtr) {
    // SAFETY: a plain call; the log reaches that far. It returns at once where it is flushed.
    unsafe { protect(|| raw::XLogFlush(to)) };
}

mod raw {
    use pgrx::pg_sys::{Buffer, TransactionId, XLogRecPtr, XidStatus};

    unsafe extern "C-unwind" {
        pub fn BufferGetLSNAtomic(buffer: Buffer) -> XLogRecPtr;
        pub fn TransactionIdGetStatus(transaction: TransactionId, lsn: *mut XLogRecPtr) -> XidStatus;
        pub fn TransactionIdGetCommitLSN(transaction: TransactionId) -> XLogRecPtr;
        pub fn XLogFlush(to: XLogRecPtr);
    }
}
