-- The registry, in the main file. The default namespace has no row.
CREATE TABLE IF NOT EXISTS main.message_store_namespaces (
    name TEXT PRIMARY KEY NOT NULL,
    token_hash TEXT,
    description TEXT,
    metadata TEXT,
    created_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS main.message_store_namespaces_token_hash
    ON message_store_namespaces (token_hash);
