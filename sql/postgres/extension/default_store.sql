-- The default store: created, or completed where it was left by an earlier installation or by Message DB. A restore
-- brings its own: pg_dump and pg_restore set row_security off.
DO $$
DECLARE
  -- The functions that adoption has kept.
  kept CONSTANT text[] := pg_catalog.string_to_array(pg_catalog.current_setting('message_store.adopted'), ',');
  adopted CONSTANT boolean := pg_catalog.cardinality(kept) > 0;
  created record;
  entry record;
BEGIN
  -- Nothing that somebody may have put into the schema is found from here on.
  PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  IF adopted OR current_setting('row_security')::boolean THEN
    PERFORM message_store.create_namespace('message_store');
  END IF;
  -- Message DB's role may execute all of it. An adopted function keeps what was granted on it, and one that takes the
  -- place of an adopted one is granted the same.
  IF NOT adopted AND EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'message_store') THEN
    GRANT USAGE ON SCHEMA message_store TO message_store;
  END IF;
  FOR created IN
    SELECT f.oid::regprocedure AS name, g.oid IS NOT NULL AS replaces,
      COALESCE(g.proacl, pg_catalog.acldefault('f', g.proowner)) AS acl, g.proowner AS owner
    FROM pg_catalog.pg_depend AS d
    JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'message_store'
    JOIN pg_catalog.pg_proc AS f ON f.oid = d.objid
    LEFT JOIN pg_catalog.pg_proc AS g
      ON adopted AND g.pronamespace = to_regnamespace('message_db_1_3_0') AND g.proname = f.proname
    WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.refclassid = 'pg_catalog.pg_extension'::regclass
      AND d.deptype = 'e' AND f.proname <> ALL (kept)
  LOOP
    IF created.replaces THEN
      FOR entry IN
        SELECT grantee, is_grantable FROM pg_catalog.aclexplode(created.acl) WHERE grantee <> created.owner AND grantee <> 0
      LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I %s', created.name,
          pg_catalog.pg_get_userbyid(entry.grantee), CASE WHEN entry.is_grantable THEN 'WITH GRANT OPTION' END);
      END LOOP;
      IF NOT EXISTS (SELECT FROM pg_catalog.aclexplode(created.acl) WHERE grantee = 0) THEN
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', created.name);
      END IF;
    ELSIF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'message_store') THEN
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO message_store', created.name);
    END IF;
  END LOOP;
END
$$;
