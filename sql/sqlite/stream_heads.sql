-- The versions of streams that have lost their last message: their positions are not given out again. A stream that has
-- messages may have a row here, too, an old one that counts for nothing.
CREATE TABLE IF NOT EXISTS {schema}"{prefix}message_store_stream_heads" (
    stream_name TEXT PRIMARY KEY NOT NULL,
    position INTEGER NOT NULL
) WITHOUT ROWID;
