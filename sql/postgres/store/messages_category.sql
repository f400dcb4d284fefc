-- Reads of a category in global order; the correlation category is there so that a correlated read stays in the index.
-- The operator is Postgres' own, also where someone may have put another into the schema.
CREATE INDEX messages_category ON messages (
  message_store.category(stream_name),
  global_position,
  message_store.category(metadata OPERATOR(pg_catalog.->>) 'correlationStreamName')
);
