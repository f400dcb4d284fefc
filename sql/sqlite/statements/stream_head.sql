SELECT position FROM {schema}"{prefix}message_store_stream_heads" WHERE stream_name = ?1
