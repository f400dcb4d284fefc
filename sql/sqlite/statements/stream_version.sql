SELECT coalesce(
    (SELECT position FROM {schema}"{prefix}messages" WHERE stream_name = ?1 ORDER BY position DESC LIMIT 1),
    (SELECT position FROM {schema}"{prefix}message_store_stream_heads" WHERE stream_name = ?1)
)
