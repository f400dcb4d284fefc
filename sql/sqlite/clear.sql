DELETE FROM {schema}sqlite_sequence WHERE name = '{prefix}messages';
DELETE FROM {schema}"{prefix}message_store_stream_heads";
DELETE FROM {schema}"{prefix}message_store_consumer_positions";
