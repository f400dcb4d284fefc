SELECT id, stream_name, type, position, global_position, data, metadata, time
FROM {schema}"{prefix}messages"
WHERE global_position >= ?1 AND global_position <= (SELECT max(global_position) FROM {schema}"{prefix}messages")
ORDER BY global_position
