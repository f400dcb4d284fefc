SELECT position FROM {schema}"{prefix}message_store_consumer_positions" WHERE category = ?1 AND consumer = ?2
