INSERT INTO {schema}"{prefix}messages" (position, time, stream_name, type, data, metadata, id)
VALUES (?, ?, ?, ?, ?, ?, ?)
