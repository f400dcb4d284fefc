INSERT INTO {schema}"{prefix}messages" (position, time, stream_name, type, data, metadata, id, global_position)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
