//! Tests of Message Store that need a real database.
