SELECT id, stream_name, type, position, global_position, data, metadata, time
FROM {schema}"{prefix}messages" AS messages
WHERE stream_name = ?1 AND position >= ?2
    AND position <= (SELECT max(position) FROM {schema}"{prefix}messages" WHERE stream_name = ?1)
{condition}ORDER BY position
