CREATE TABLE IF NOT EXISTS {schema}"{prefix}messages" (
    global_position INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    position INTEGER NOT NULL,
    time TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'),
    stream_name TEXT NOT NULL,
    type TEXT NOT NULL,
    data TEXT,
    metadata TEXT,
    id TEXT NOT NULL DEFAULT (lower(
        hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
        || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))
    ))
);
