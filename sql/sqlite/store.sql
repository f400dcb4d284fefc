-- What makes a database a message store, and of which version. One row.
CREATE TABLE IF NOT EXISTS {schema}"{prefix}message_store_schema" (
    version INTEGER NOT NULL,
    store_id TEXT NOT NULL,     -- of a namespace: that of the main store it was created in
    append_lock TEXT NOT NULL DEFAULT 'category',
    created_at TEXT NOT NULL,
    notify TEXT NOT NULL DEFAULT 'off'
);
