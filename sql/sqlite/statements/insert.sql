INSERT INTO {schema}"{prefix}messages" (position, time, stream_name, type, data, metadata, id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
