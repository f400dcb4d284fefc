SELECT version, store_id, created_at FROM {schema}"{prefix}message_store_schema"
