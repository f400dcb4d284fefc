//! Message Store for Postgres.
