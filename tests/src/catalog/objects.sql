-- Every object of some schemas, in words: its schema, name, table, definition, grants, and whether it is a member of an
-- extension. Left out is what only some versions of Postgres have: the table before a column of a view (to 15), the
-- privilege MAINTAIN (17), and a constraint for each column that is not null (18), which the column says itself.
WITH schema AS (
  SELECT oid, nspname FROM pg_namespace WHERE nspname = ANY ($1)
), object AS (
  SELECT nspname, 'schema' AS name, nspowner::regrole::text AS more, '' AS definition, nspacl AS acl,
    'pg_namespace'::regclass AS class, pg_namespace.oid
  FROM pg_namespace JOIN schema USING (nspname)
  UNION ALL
  SELECT nspname, 'function ' || p.oid::regprocedure, pg_get_function_arguments(p.oid),
    concat_ws(' ', pg_get_function_result(p.oid), provolatile, prosecdef, proparallel, prosrc, proowner::regrole,
      obj_description(p.oid, 'pg_proc')), proacl, 'pg_proc'::regclass, p.oid
  FROM pg_proc AS p JOIN schema ON schema.oid = pronamespace
  UNION ALL
  SELECT nspname, relkind::text || ' ' || relname, relowner::regrole::text, (
      SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, attcollation,
        pg_get_expr(adbin, adrelid)), ', ' ORDER BY attnum)
      FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
      WHERE attrelid = c.oid AND attnum > 0
    ) || COALESCE(replace(pg_get_viewdef(c.oid), 'messages.', ''), '') || COALESCE(obj_description(c.oid, 'pg_class'), ''), relacl,
    'pg_class'::regclass, c.oid
  FROM pg_class AS c JOIN schema ON schema.oid = relnamespace WHERE relkind IN ('r', 'v', 'S', 'c')
  UNION ALL
  SELECT nspname, 'constraint ' || conname, conrelid::regclass::text, pg_get_constraintdef(k.oid), NULL,
    'pg_constraint'::regclass, k.oid
  FROM pg_constraint AS k JOIN schema ON schema.oid = connamespace WHERE contype <> 'n'
  UNION ALL
  SELECT nspname, 'index ' || relname, indrelid::regclass::text, pg_get_indexdef(indexrelid), NULL,
    'pg_class'::regclass, indexrelid
  FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN schema ON schema.oid = relnamespace
  UNION ALL
  SELECT nspname, 'trigger ' || tgname, tgrelid::regclass::text, pg_get_triggerdef(t.oid), NULL,
    'pg_trigger'::regclass, t.oid
  FROM pg_trigger AS t JOIN pg_class ON pg_class.oid = tgrelid JOIN schema ON schema.oid = relnamespace
)
SELECT nspname, name, more, definition,
  (
    SELECT string_agg(item, ', ' ORDER BY item) FROM (
      SELECT concat_ws(' ', privilege_type, CASE WHEN is_grantable THEN 'grantable' END,
        'to', CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END, 'by', grantor::regrole) AS item
      FROM aclexplode(acl) WHERE privilege_type <> 'MAINTAIN'
    ) AS granted
  ),
  EXISTS (SELECT FROM pg_depend WHERE classid = class AND objid = object.oid AND deptype = 'e')
FROM object ORDER BY nspname, name, more
