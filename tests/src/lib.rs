//! Tests of Message Store that need a real database.
//!
//! A test asks for a [`Store`]: a fresh database of a private cluster that holds either genuine Message DB or this
//! project's extension. What holds for one must hold for the other, so most tests are written once and run on both
//! (see [`for_both!`]).

pub mod adoption;
pub mod calls;
pub mod catalog;
mod cluster;
pub mod consumer;
pub mod corpus;
pub mod differential;
pub mod engines;
mod failure;
pub mod follower;
pub mod fuzz;
mod genuine;
pub mod golden;
mod left_out;
pub mod literal;
pub mod load;
pub mod namespaces;
mod ours;
pub mod page;
pub mod pooler;
mod positions;
mod postgres_binaries;
pub mod race;
mod session;
mod sqlite;
mod store;
pub mod wal;
pub mod writer;

pub use cluster::{Cluster, Crash, SmallDisk};
pub use failure::Failure;
pub use genuine::dependencies;
pub use left_out::{Lacks, leave_out};
pub use postgres_binaries::{older, program, version};
pub use session::{Outcome, Rows, Session};
pub use sqlite::sqlite_library;
pub use store::{Store, Target};

/// Runs each function, which takes a `&Store`, as a test on genuine Message DB and as one on ours.
#[macro_export]
macro_rules! for_both {
    ($($name:ident),* $(,)?) => {
        mod genuine {
            $(#[test]
            fn $name() {
                super::$name(&$crate::Store::fresh($crate::Target::Genuine));
            })*
        }
        mod ours {
            $(#[test]
            fn $name() {
                super::$name(&$crate::Store::fresh($crate::Target::Ours));
            })*
        }
    };
}
