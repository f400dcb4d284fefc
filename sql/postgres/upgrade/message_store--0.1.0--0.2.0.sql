-- From 0.1.0 to 0.2.0: retention, consumer positions, statistics. Brings the default store and every registered namespace
-- along: each gets two tables, which belong to the owner of its messages and, like them, not to the extension.
CREATE FUNCTION message_store.delete_stream(stream_name varchar, namespace varchar DEFAULT NULL) RETURNS bigint
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_delete_stream';
COMMENT ON FUNCTION message_store.delete_stream IS
  'Removes every message of a stream and returns how many there were; its version goes on counting';

CREATE FUNCTION message_store.truncate_stream(
  stream_name varchar,
  before_position bigint,
  namespace varchar DEFAULT NULL
) RETURNS bigint
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_truncate_stream';
COMMENT ON FUNCTION message_store.truncate_stream IS
  'Removes the messages of a stream before a position and returns how many there were; its version goes on counting';

CREATE FUNCTION message_store.redact_message(id varchar, namespace varchar DEFAULT NULL) RETURNS bigint
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_redact_message';
COMMENT ON FUNCTION message_store.redact_message IS
  'Replaces the data and metadata of a message by {"redacted": true} and returns 1';

CREATE FUNCTION message_store.record_consumer_position(
  category varchar,
  consumer varchar,
  "position" bigint,
  force boolean DEFAULT false,
  namespace varchar DEFAULT NULL
) RETURNS bigint
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_record_consumer_position';
COMMENT ON FUNCTION message_store.record_consumer_position IS
  'Stores the global position of the last message that a consumer has processed, never a lower one unless forced, and returns the one stored';

CREATE FUNCTION message_store.consumer_positions(category varchar DEFAULT NULL, namespace varchar DEFAULT NULL)
  RETURNS TABLE (category varchar, consumer varchar, "position" bigint, lag bigint, "time" timestamp)
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_consumer_positions';
COMMENT ON FUNCTION message_store.consumer_positions IS
  'The recorded positions of consumers, of a category or of all, and how many messages of the category come after each';

CREATE FUNCTION message_store.stats(namespace varchar DEFAULT NULL)
  RETURNS TABLE (
    namespace varchar, message_count bigint, stream_count bigint, category_count bigint, last_global_position bigint,
    last_time timestamp, size_bytes bigint
  )
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_stats';
COMMENT ON FUNCTION message_store.stats IS
  'What is in a store, in one row; of a large one the numbers of messages, streams and categories are estimates';

COMMENT ON FUNCTION message_store.stream_version IS
  'The position of the last message that a stream has had, NULL when it never had one';
COMMENT ON FUNCTION message_store.grant_namespace IS
  'Lets a role read a namespace, with mode write also write to it, with admin also remove and redact messages';
COMMENT ON FUNCTION message_store.set_namespace_option IS
  'Sets an option of a namespace: append_lock, category or stream, is what its writers lock; notify, on or off, whether they tell who listens; for its owner';

DO $$
DECLARE
  store record;
  reader record;
  grantee text;
BEGIN
  FOR store IN
    SELECT n.nspname AS name, c.oid AS messages, pg_catalog.pg_get_userbyid(c.relowner) AS owner
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.relname OPERATOR(pg_catalog.=) 'messages'
      AND (n.nspname OPERATOR(pg_catalog.=) 'message_store' OR EXISTS (
        SELECT FROM message_store.namespaces AS r
        WHERE r.name::text COLLATE "C" OPERATOR(pg_catalog.=) n.nspname::text COLLATE "C"
          AND r.owner OPERATOR(pg_catalog.=) pg_catalog.pg_get_userbyid(n.nspowner)
          AND c.relowner OPERATOR(pg_catalog.=) n.nspowner
      ))
  LOOP
    -- What somebody else has put there is left alone, and refused when it is needed.
    IF EXISTS (
      SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
      WHERE n.nspname OPERATOR(pg_catalog.=) store.name
        AND c.relname OPERATOR(pg_catalog.=) ANY (ARRAY['stream_heads', 'consumer_positions']::name[])
    ) THEN
      CONTINUE;
    END IF;
    EXECUTE pg_catalog.format(
      'CREATE TABLE %I.stream_heads ('
      '  stream_name pg_catalog.text COLLATE pg_catalog."C" NOT NULL,'
      '  position pg_catalog.int8 NOT NULL,'
      '  CONSTRAINT stream_heads_pkey PRIMARY KEY (stream_name)'
      ')', store.name);
    EXECUTE pg_catalog.format(
      'CREATE TABLE %I.consumer_positions ('
      '  category pg_catalog.text NOT NULL,'
      '  consumer pg_catalog.text NOT NULL,'
      '  position pg_catalog.int8 NOT NULL,'
      '  time pg_catalog.timestamp NOT NULL,'
      '  CONSTRAINT consumer_positions_pkey PRIMARY KEY (category, consumer)'
      ')', store.name);
    EXECUTE pg_catalog.format('ALTER EXTENSION message_store DROP TABLE %I.stream_heads', store.name);
    EXECUTE pg_catalog.format('ALTER EXTENSION message_store DROP TABLE %I.consumer_positions', store.name);
    EXECUTE pg_catalog.format('ALTER TABLE %I.stream_heads OWNER TO %I', store.name, store.owner);
    EXECUTE pg_catalog.format('ALTER TABLE %I.consumer_positions OWNER TO %I', store.name, store.owner);
    -- Who may read the messages may keep a position; who may remove them too, the version of an emptied stream.
    FOR reader IN
      SELECT DISTINCT acl.grantee, EXISTS (
        SELECT FROM pg_catalog.aclexplode(c.relacl) AS more
        WHERE more.grantee OPERATOR(pg_catalog.=) acl.grantee AND more.privilege_type OPERATOR(pg_catalog.=) 'DELETE'
      ) AS removes
      FROM pg_catalog.pg_class AS c, LATERAL pg_catalog.aclexplode(c.relacl) AS acl
      WHERE c.oid OPERATOR(pg_catalog.=) store.messages
        AND acl.privilege_type OPERATOR(pg_catalog.=) 'SELECT'
        AND acl.grantee OPERATOR(pg_catalog.<>) c.relowner
    LOOP
      grantee := CASE WHEN reader.grantee OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC'
        ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(reader.grantee)) END;
      EXECUTE pg_catalog.format('GRANT SELECT ON %I.stream_heads TO %s', store.name, grantee);
      IF reader.removes THEN
        EXECUTE pg_catalog.format('GRANT INSERT, UPDATE ON %I.stream_heads TO %s', store.name, grantee);
      END IF;
      EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE ON %I.consumer_positions TO %s', store.name, grantee);
    END LOOP;
  END LOOP;
  IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) 'message_store') THEN
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA message_store TO message_store;
  END IF;
END
$$;
