SELECT id, stream_name, type, position, global_position, data, metadata, time
FROM {schema}"{prefix}messages" WHERE stream_name = ?1 AND type = ?2 ORDER BY position DESC LIMIT 1
