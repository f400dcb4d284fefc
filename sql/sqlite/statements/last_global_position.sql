-- Not the sequence alone: a plain SQLite can have set it back, or emptied its table.
SELECT max(
    coalesce((SELECT seq FROM {schema}sqlite_sequence WHERE name = '{prefix}messages'), 0),
    coalesce((SELECT max(global_position) FROM {schema}"{prefix}messages"), 0)
), EXISTS (SELECT 1 FROM {schema}"{prefix}messages")
    OR EXISTS (SELECT 1 FROM {schema}"{prefix}message_store_stream_heads")
