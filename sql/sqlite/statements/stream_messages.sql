SELECT id, stream_name, type, position, global_position, data, metadata, time
FROM {schema}"{prefix}messages" AS messages
WHERE stream_name = ?1 AND position >= ?2
{condition}ORDER BY position
