//! Tests that the machine they run on does not allow. `MESSAGE_STORE_REQUIRE_ALL=1` makes that a failure, and
//! `MESSAGE_STORE_REQUIRE_ALL=installable` where it would do to install something.

/// What a test lacks that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacks {
    /// A program.
    Installation,
    /// The right to do something, which a container may not have.
    Rights,
}

/// Says that a test is left out, or fails.
pub fn leave_out(lacks: Lacks, what: &str) {
    let required = std::env::var("MESSAGE_STORE_REQUIRE_ALL").unwrap_or_default();
    let is_required = required == "1" || required == "installable" && lacks == Lacks::Installation;
    assert!(!is_required, "LEFT OUT, and required: {what}");
    eprintln!("LEFT OUT: {what}");
}
