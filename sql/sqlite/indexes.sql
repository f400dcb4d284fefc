CREATE UNIQUE INDEX IF NOT EXISTS {schema}"{prefix}messages_id" ON "{prefix}messages" (id);
CREATE UNIQUE INDEX IF NOT EXISTS {schema}"{prefix}messages_stream" ON "{prefix}messages" (stream_name, position);
-- The category in SQLite's own functions: a file must stay writable without the extension.
CREATE INDEX IF NOT EXISTS {schema}"{prefix}messages_category" ON "{prefix}messages" (
    substr(stream_name, 1, instr(stream_name || '-', '-') - 1),
    global_position
);
