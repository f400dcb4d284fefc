SELECT
  a.attnum,
  a.attname AS name,
  format_type(a.atttypid, a.atttypmod) AS type,
  a.attnotnull AS not_null,
  pg_get_expr(d.adbin, d.adrelid) AS "default"
FROM pg_attribute AS a
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = 'message_store.messages'::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
