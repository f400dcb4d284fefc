SELECT name, description, metadata, created_at FROM main.message_store_namespaces
UNION ALL SELECT 'message_store', NULL, NULL, ?1 ORDER BY name
