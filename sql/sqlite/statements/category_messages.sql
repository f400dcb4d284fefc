SELECT id, stream_name, type, position, global_position, data, metadata, time
FROM {schema}"{prefix}messages" AS messages
WHERE substr(stream_name, 1, instr(stream_name || '-', '-') - 1) = ?1 AND global_position >= ?2
    AND global_position <= (SELECT max(global_position) FROM {schema}"{prefix}messages")
{condition}ORDER BY global_position
