SELECT relname AS name, relkind AS kind, array_to_string(relacl, ',') AS acl
FROM pg_class
WHERE relnamespace = 'message_store'::regnamespace AND relkind IN ('r', 'v', 'S')
ORDER BY relname
