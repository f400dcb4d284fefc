SELECT
  indexrelid::regclass::text AS name,
  indisunique AS "unique",
  indisprimary AS "primary",
  pg_get_indexdef(indexrelid) AS def
FROM pg_index
WHERE indrelid = 'message_store.messages'::regclass
ORDER BY 1
