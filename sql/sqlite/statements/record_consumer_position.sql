INSERT INTO {schema}"{prefix}message_store_consumer_positions" (category, consumer, position, time)
VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (category, consumer) DO UPDATE SET position = excluded.position, time = excluded.time
