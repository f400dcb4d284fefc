INSERT INTO {schema}"{prefix}message_store_stream_heads" (stream_name, position) VALUES (?1, ?2)
ON CONFLICT (stream_name) DO UPDATE SET position = max(position, excluded.position)
