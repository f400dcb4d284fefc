//! The boundary to SQL: how a function of ours is called, reads its arguments and answers.

use std::any::Any;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use message_store_core::{Error, Result};
use pgrx::pg_sys;

use crate::durability;
use crate::postgres_error::PostgresError;
use crate::report::Report;

/// One call of a function: its arguments, by their place in the SQL signature, counted from 0.
///
/// NULL, and an argument that the signature does not have, is `None`.
pub struct Call<'a> {
    fcinfo: pg_sys::FunctionCallInfo,
    lifetime: PhantomData<&'a [u8]>,
}

/// A text argument: its bytes in the database's encoding, and the datum to hand on to a statement.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    datum: pg_sys::Datum,
    bytes: &'a [u8],
}

impl<'a> Text<'a> {
    /// The bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The value as a statement's parameter takes it.
    pub fn datum(&self) -> pg_sys::Datum {
        self.datum
    }
}

impl std::ops::Deref for Text<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes
    }
}

/// What a function answers: a value, or `None` for NULL.
pub type Answer = Option<pg_sys::Datum>;

impl<'a> Call<'a> {
    fn argument(&self, index: usize) -> Option<pg_sys::Datum> {
        // SAFETY: a Call is only made from the fcinfo of a running call, which holds nargs arguments.
        unsafe {
            let nargs = usize::try_from((*self.fcinfo).nargs).ok()?;
            let arguments = std::slice::from_raw_parts((*self.fcinfo).args.as_ptr(), nargs);
            arguments.get(index).filter(|argument| !argument.isnull).map(|argument| argument.value)
        }
    }

    /// A varchar or text argument.
    pub fn text(&self, index: usize) -> Option<Text<'a>> {
        // SAFETY: the SQL signature says that the argument is a varlena; the detoasted copy lives as long as the call.
        self.argument(index).map(|datum| unsafe {
            let detoasted = pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr());
            Text { datum: detoasted.into(), bytes: pgrx::varlena::varlena_to_byte_slice(detoasted) }
        })
    }

    /// A bigint argument.
    pub fn int8(&self, index: usize) -> Option<i64> {
        self.argument(index).map(|datum| datum.value().cast_signed() as i64)
    }

    /// A boolean argument.
    pub fn boolean(&self, index: usize) -> Option<bool> {
        self.argument(index).map(|datum| datum.value() != 0)
    }

    /// A jsonb argument, as the datum it came as.
    pub fn jsonb(&self, index: usize) -> Option<pg_sys::Datum> {
        self.argument(index)
    }

    /// The table whose trigger calls; `None` where no trigger does.
    pub fn table_of_trigger(&self) -> Option<pg_sys::Oid> {
        // SAFETY: the context of a running call is null or a node, that of a trigger with its table, which is open.
        unsafe {
            let context = (*self.fcinfo).context;
            let is_trigger = !context.is_null() && (*context).type_ == pg_sys::NodeTag::T_TriggerData;
            is_trigger.then(|| (*(*context.cast::<pg_sys::TriggerData>()).tg_relation).rd_id)
        }
    }

    /// The call as Postgres knows it, for set-returning functions.
    pub fn fcinfo(&self) -> pg_sys::FunctionCallInfo {
        self.fcinfo
    }
}

/// Runs the body of a function and answers the call; an error, of whatever kind, leaves as a Postgres error.
///
/// # Safety
/// `fcinfo` must be that of a running call of a function whose SQL signature fits what `body` reads.
pub unsafe fn run(fcinfo: pg_sys::FunctionCallInfo, body: fn(&Call<'_>) -> Result<Answer>) -> pg_sys::Datum {
    // Everything with a destructor is gone before an error jumps out of here: Postgres' part of each report is in
    // Postgres' memory.
    let raise = match catch_unwind(AssertUnwindSafe(|| body(&Call { fcinfo, lifetime: PhantomData }))) {
        Ok(Ok(answer)) => {
            // SAFETY: the caller vouches for fcinfo.
            unsafe { (*fcinfo).isnull = answer.is_none() };
            return answer.unwrap_or_else(pg_sys::Datum::null);
        }
        Ok(Err(error)) => Failure::Ours(report_and_drop(error)),
        Err(payload) => failure(payload),
    };
    // SAFETY: no frame of ours holds anything to be dropped any more.
    unsafe {
        match raise {
            Failure::Ours(report) => report.raise(),
            Failure::Postgres(error) => error.raise(),
        }
    }
}

enum Failure {
    Ours(Report),
    Postgres(PostgresError),
}

fn report_and_drop(error: Error) -> Report {
    Report::of(&error)
}

/// What an unwind carried: a Postgres error as it was, or a defect.
fn failure(payload: Box<dyn Any + Send>) -> Failure {
    use pgrx::pg_sys::panic::{CaughtError, ErrorReportWithLevel};

    let payload = match PostgresError::from_payload(payload) {
        Ok(error) => {
            if error.is_unique_violation() {
                // It speaks of another message. Whatever goes wrong here, the error is what the caller hears.
                drop(catch_unwind(durability::flush_visible));
            }
            return Failure::Postgres(error);
        }
        Err(payload) => payload,
    };
    Failure::Ours(match payload.downcast_ref::<CaughtError>() {
        Some(CaughtError::PostgresError(error) | CaughtError::ErrorReport(error)) => Report::of_pgrx(error),
        Some(CaughtError::RustPanic { ereport, .. }) => Report::of_defect(ereport.message()),
        None => match payload.downcast_ref::<ErrorReportWithLevel>() {
            Some(error) => Report::of_pgrx(error),
            None => Report::of_defect(panic_text(&*payload)),
        },
    })
}

fn panic_text(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "unknown"
    }
}

/// Exports functions to SQL: the C symbol, and the function that answers its calls.
macro_rules! sql_functions {
    ($($symbol:literal => $body:path;)*) => { $(
        const _: () = {
            #[unsafe(export_name = concat!("pg_finfo_", $symbol))]
            extern "C-unwind" fn info() -> *const pgrx::pg_sys::Pg_finfo_record {
                const VERSION_1: pgrx::pg_sys::Pg_finfo_record = pgrx::pg_sys::Pg_finfo_record { api_version: 1 };
                &VERSION_1
            }

            #[unsafe(export_name = $symbol)]
            unsafe extern "C-unwind" fn function(fcinfo: pgrx::pg_sys::FunctionCallInfo) -> pgrx::pg_sys::Datum {
                // SAFETY: Postgres calls this with the fcinfo of a call, and sql/postgres declares the signature.
                unsafe { $crate::call::run(fcinfo, $body) }
            }
        };
    )* };
}
pub(crate) use sql_functions;
