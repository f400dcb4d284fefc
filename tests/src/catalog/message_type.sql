SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.atttypid::bigint AS oid
FROM pg_attribute AS a
JOIN pg_type AS t ON t.typrelid = a.attrelid
WHERE t.oid = 'message_store.message'::regtype
ORDER BY a.attnum
