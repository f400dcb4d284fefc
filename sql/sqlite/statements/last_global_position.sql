SELECT seq, EXISTS (SELECT 1 FROM {schema}"{prefix}messages")
    OR EXISTS (SELECT 1 FROM {schema}"{prefix}message_store_stream_heads")
FROM {schema}sqlite_sequence WHERE name = '{prefix}messages'
