-- Without the privilege MAINTAIN, which there is from Postgres 17 on.
SELECT relname AS name, relkind AS kind,
  regexp_replace(array_to_string(relacl, ','), '(=[a-zA-Z*]*)m/', '\1/', 'g') AS acl
FROM pg_class
WHERE relnamespace = 'message_store'::regnamespace AND relkind IN ('r', 'v', 'S')
ORDER BY relname
