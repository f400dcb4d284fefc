SELECT 'DROP ' || type || ' {schema}"' || replace(name, '"', '""') || '"' FROM {schema}sqlite_master
WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name <> 'message_store_schema'
LIMIT 1
