//! Message Store for SQLite. Nothing is here yet but the crate's place in the workspace.
