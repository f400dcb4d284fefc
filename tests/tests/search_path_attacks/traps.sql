-- Everything that a function of ours could take for Postgres' or its own, in a schema of somebody else's. Whatever runs
-- says so by its error.
CREATE FUNCTION spring(what text) RETURNS bigint LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'the trap sprang: % as %', what, current_user; END $$;

DO $$
DECLARE
  trap record;
  schema text := current_schema();
BEGIN
  -- Functions of the store.
  FOR trap IN SELECT * FROM (VALUES
    ('category', 'text', 'varchar'), ('category', 'varchar', 'varchar'), ('id', 'text', 'varchar'), ('id', 'varchar', 'varchar'),
    ('cardinal_id', 'text', 'varchar'), ('cardinal_id', 'varchar', 'varchar'), ('is_category', 'varchar', 'boolean'),
    ('hash_64', 'text', 'bigint'), ('hash_64', 'varchar', 'bigint'), ('acquire_lock', 'varchar', 'bigint'),
    ('stream_version', 'varchar', 'bigint'),
  -- Postgres' own.
    ('now', '', 'timestamptz'), ('gen_random_uuid', '', 'uuid'), ('transaction_timestamp', '', 'timestamptz'),
    ('timezone', 'text, timestamptz', 'timestamp'), ('md5', 'text', 'text'), ('abs', 'bigint', 'bigint'),
    ('mod', 'bigint, bigint', 'bigint'), ('mod', 'bigint, smallint', 'bigint'), ('starts_with', 'text, text', 'boolean'),
    ('setval', 'regclass, bigint', 'bigint'), ('nextval', 'regclass', 'bigint'), ('currval', 'regclass', 'bigint'),
    ('pg_get_userbyid', 'oid', 'name'), ('has_schema_privilege', 'oid, text', 'boolean'),
    ('has_schema_privilege', 'name, text, text', 'boolean'), ('current_database', '', 'name'),
    ('pg_advisory_xact_lock', 'bigint', 'void'), ('round', 'numeric, int', 'numeric'), ('unnest', 'bigint[]', 'bigint'),
    ('unnest', 'uuid[]', 'uuid'), ('unnest', 'text[]', 'text'), ('jsonb_array_elements', 'jsonb', 'jsonb'),
    ('round', 'float8', 'float8'), ('count', '', 'bigint'), ('pg_relation_size', 'oid', 'bigint')
  ) AS t (name, arguments, result) LOOP
    EXECUTE format('CREATE FUNCTION %s(%s) RETURNS %s LANGUAGE plpgsql AS %L',
      trap.name, trap.arguments, trap.result, format('BEGIN PERFORM %I.spring(%L); END', schema, trap.name));
  END LOOP;

  -- Operators, exact for the operands that the functions, the views and the index have.
  FOR trap IN SELECT operator, l, r, result FROM
    (VALUES ('='), ('<>'), ('<'), ('>'), ('<='), ('>=')) AS o (operator),
    (VALUES ('text', 'text'), ('varchar', 'varchar'), ('text', 'varchar'), ('varchar', 'text'), ('bigint', 'bigint'),
      ('bigint', 'int'), ('bigint', 'smallint'), ('name', 'name'), ('name', 'varchar'), ('name', 'text'), ('uuid', 'uuid'),
      ('jsonb', 'jsonb')) AS p (l, r), (VALUES ('boolean')) AS b (result)
    UNION ALL VALUES ('->>', 'jsonb', 'text', 'text'), ('->>', 'jsonb', 'varchar', 'text'), ('->>', 'jsonb', 'jsonb', 'text'),
      ('->', 'jsonb', 'text', 'jsonb'), ('->', 'jsonb', 'jsonb', 'jsonb'), ('+', 'bigint', 'bigint', 'bigint'),
      ('+', 'bigint', 'int', 'bigint'), ('*', 'numeric', 'numeric', 'numeric'), ('*', 'numeric', 'bigint', 'numeric'),
      ('*', 'int', 'bigint', 'numeric'), ('/', 'numeric', 'numeric', 'numeric'), ('||', 'text', 'text', 'text'),
      ('*', 'numeric', 'int', 'numeric'), ('/', 'numeric', 'int', 'numeric'), ('/', 'numeric', 'bigint', 'numeric'),
      ('*', 'float8', 'int', 'float8'), ('*', 'float8', 'float8', 'float8'), ('/', 'float8', 'bigint', 'float8'),
      ('/', 'bigint', 'int', 'bigint'), ('+', 'int', 'bigint', 'bigint'), ('-', 'bigint', 'bigint', 'bigint')
  LOOP
    EXECUTE format('CREATE FUNCTION "operator %s"(%s, %s) RETURNS %s LANGUAGE plpgsql IMMUTABLE AS %L',
      trap.operator, trap.l, trap.r, trap.result,
      format('BEGIN PERFORM %I.spring(%L); END', schema, trap.operator));
    EXECUTE format('CREATE OPERATOR %s (FUNCTION = %I."operator %s", LEFTARG = %s, RIGHTARG = %s)',
      trap.operator, schema, trap.operator, trap.l, trap.r);
  END LOOP;

END
$$;

-- Relations and types of the names that the functions use.
CREATE TABLE messages (global_position bigserial PRIMARY KEY, position bigint NOT NULL, time timestamp DEFAULT now(),
  stream_name text NOT NULL, type text NOT NULL, data jsonb, metadata jsonb, id uuid NOT NULL DEFAULT gen_random_uuid());
CREATE TABLE namespaces (name varchar, owner name, token_hash varchar, description varchar, metadata jsonb, created_at timestamp);
CREATE VIEW pg_namespace AS SELECT spring('pg_namespace')::oid AS oid, 'message_store'::name AS nspname;
CREATE VIEW pg_database AS SELECT spring('pg_database') AS datname;
CREATE TYPE message AS (id int);
CREATE DOMAIN "varchar" AS int CHECK (false);
CREATE DOMAIN int8 AS int CHECK (false);
GRANT ALL ON ALL TABLES IN SCHEMA evil TO PUBLIC;
