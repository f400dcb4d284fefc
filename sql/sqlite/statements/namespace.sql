SELECT name, token_hash, description, metadata, created_at FROM main.message_store_namespaces WHERE name = ?1
