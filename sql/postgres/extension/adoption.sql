-- A genuine Message DB 1.3.0 in the schema is adopted. Its table, sequence, indexes and views, its type, and the functions
-- that its indexes and views use stay the objects that they are: the statements after this one replace what is in them.
-- The functions whose arguments differ move to a schema of their own, so that a call that has found one of them before
-- this transaction ends still runs. Whatever is not as Message DB made it is refused before anything is touched.
DO $adoption$
DECLARE
  store CONSTANT oid := pg_catalog.to_regnamespace('message_store');
  own_path CONSTANT text := pg_catalog.current_setting('search_path');
  me CONSTANT name := current_user;
  -- The functions that stay and those that move, each with the MD5 of what pg_get_functiondef says of it.
  stay CONSTANT jsonb := '{
    "category": "bd3985baa3800142963c6686a19a5749",
    "id": "b7a641cd89e258d8efb95cc7e14eb402",
    "cardinal_id": "ec08a7afefabe9b234662bd7755fa3fe",
    "is_category": "d7b1fa890186846274f324e67c4784b9",
    "hash_64": "01118884ee5f6f1504ff0565e8ff520d",
    "message_store_version": "2ee148b4ca53d02bbb6d07718c041662"
  }';
  move CONSTANT jsonb := '{
    "acquire_lock": "80f1dba2476478989527d5a44b2cf3a1",
    "stream_version": "9c70188a9c10addcce3575d5811d9c6b",
    "write_message": "6a896558c4250d931149e3ecce89456d",
    "get_stream_messages": "8e35a07c4d801ca9593772bd87d0a948",
    "get_category_messages": "211e81990208ff706d6d965063601731",
    "get_last_stream_message": "ebff22392c999c9ee965221091db2ae5"
  }';
  -- Its views, with the MD5 of pg_get_viewdef, in which Postgres up to 15 writes the table before some columns.
  views CONSTANT jsonb := '{
    "stream_summary": "a7d00f4143ab03930ff91925a10f98b5",
    "type_summary": "08d42afbf75002e3e044db814d102c2b",
    "stream_type_summary": "ceea572bf83deace37c988abace28b1b",
    "type_stream_summary": "7bc3034e6f43a4a73d3882153e6a4ec4",
    "category_type_summary": "a90df810803a3f60b9501dadfcb1bd8e",
    "type_category_summary": "5bb7833bd63b1feb1f753fcad3201eee"
  }';
  indexes CONSTANT jsonb := '{
    "messages_pkey": "CREATE UNIQUE INDEX messages_pkey ON message_store.messages USING btree (global_position)",
    "messages_id": "CREATE UNIQUE INDEX messages_id ON message_store.messages USING btree (id)",
    "messages_stream": "CREATE UNIQUE INDEX messages_stream ON message_store.messages USING btree (stream_name, \"position\")",
    "messages_category": "CREATE INDEX messages_category ON message_store.messages USING btree (message_store.category((stream_name)::character varying), global_position, message_store.category(((metadata ->> ''correlationStreamName''::text))::character varying))"
  }';
  columns CONSTANT text[] := ARRAY[
    'global_position bigint NOT NULL DEFAULT nextval(''message_store.messages_global_position_seq''::regclass)',
    'position bigint NOT NULL',
    'time timestamp without time zone NOT NULL DEFAULT (now() AT TIME ZONE ''utc''::text)',
    'stream_name text NOT NULL',
    'type text NOT NULL',
    'data jsonb',
    'metadata jsonb',
    'id uuid NOT NULL DEFAULT gen_random_uuid()'
  ];
  attributes CONSTANT text := 'id character varying, stream_name character varying, type character varying, '
    'position bigint, global_position bigint, data character varying, metadata character varying, '
    'time timestamp without time zone';
  -- Functions that Message DB has not.
  added CONSTANT name[] := ARRAY[
    'message_store_release', 'write_messages', 'get_all_messages', 'list_streams', 'list_categories', 'import_messages',
    'delete_stream', 'truncate_stream', 'redact_message', 'record_consumer_position', 'consumer_positions', 'stats',
    'create_namespace', 'register_namespace', 'delete_namespace', 'clear_namespace', 'get_namespace', 'list_namespaces',
    'grant_namespace', 'revoke_namespace', 'set_namespace_option', 'registry_changed'
  ];
  -- Relations that Message DB has not, and of those that an earlier adoption may have left, columns and primary key.
  created CONSTANT name[] := ARRAY[
    'stream_heads', 'stream_heads_pkey', 'consumer_positions', 'consumer_positions_pkey',
    'namespaces', 'namespaces_pkey', 'namespaces_token_hash'
  ];
  beside CONSTANT jsonb := '{
    "stream_heads": ["stream_name text, position bigint", "PRIMARY KEY (stream_name)"],
    "consumer_positions": ["category text, consumer text, position bigint, time timestamp without time zone", "PRIMARY KEY (category, consumer)"]
  }';
  -- Where the functions that are no longer used go.
  aside CONSTANT name := 'message_db_1_3_0';
  refused CONSTANT text := 'Message DB cannot be adopted: %s';
  messages oid;
  sequence oid;
  left_behind oid[];
  version text;
  found record;
  wrong text;
BEGIN
  -- Nothing that somebody may have put into the schema is found from here on.
  PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  PERFORM set_config('message_store.adopted', '', true);
  IF NOT EXISTS (SELECT FROM pg_proc WHERE pronamespace = store AND (stay || move) ? proname)
    AND NOT EXISTS (SELECT FROM pg_type WHERE typnamespace = store AND typname = 'message')
  THEN
    PERFORM set_config('search_path', own_path, true);
    RETURN;
  END IF;

  -- What would be taken for Message Store's own, or be in its way.
  left_behind := ARRAY(
    SELECT oid FROM pg_class
    WHERE relnamespace = store AND relkind = 'r' AND beside ? relname
      AND starts_with((
        SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum)
        FROM pg_attribute WHERE attrelid = pg_class.oid AND attnum > 0
      ) || ', ', beside -> relname ->> 0 || ', ')
      AND EXISTS (
        SELECT FROM pg_constraint
        WHERE conrelid = pg_class.oid AND conname = relname || '_pkey'
          AND pg_get_constraintdef(pg_constraint.oid) = beside -> relname ->> 1
      )
  );
  SELECT string_agg(name, ', ' ORDER BY name) INTO wrong FROM (
    SELECT relname::text FROM pg_class LEFT JOIN pg_index ON indexrelid = pg_class.oid
    WHERE relnamespace = store AND relname = ANY (created) AND COALESCE(indrelid, pg_class.oid) <> ALL (left_behind)
    UNION ALL
    -- A relation's row type is the relation's.
    SELECT typname FROM pg_type WHERE typnamespace = store AND typname = ANY (created) AND typrelid = 0
  ) AS own (name);
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format(refused, format('schema message_store has relations or types of your own with names of Message Store: %s', wrong)),
      HINT = 'Give them other names, or move them to another schema.';
  END IF;

  -- Whose it is.
  FOR found IN
    SELECT kind, object, pg_get_userbyid(owner) AS owner FROM (
      SELECT 0, 'SCHEMA', quote_ident(nspname), nspowner FROM pg_namespace WHERE oid = store
      UNION ALL
      SELECT 1, CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END,
        format('%I.%I', 'message_store', relname), relowner
      FROM pg_class
      WHERE relnamespace = store AND (relname IN ('messages', 'message') OR views ? relname OR oid = ANY (left_behind))
      UNION ALL
      SELECT 2, 'FUNCTION', oid::regprocedure::text, proowner
      FROM pg_proc WHERE pronamespace = store AND (stay || move) ? proname
    ) AS mine (place, kind, object, owner)
    ORDER BY place, object
  LOOP
    IF found.owner <> me THEN
      RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = format(refused, format('%s %s belongs to %I, and CREATE EXTENSION is run by %I',
          lower(found.kind), found.object, found.owner, me)),
        HINT = format('Give it over before: ALTER %s %s OWNER TO %I', found.kind, found.object, me);
    END IF;
  END LOOP;

  -- Which version.
  SELECT substring(prosrc FROM '\d+\.\d+\.\d+') INTO version
  FROM pg_proc WHERE pronamespace = store AND proname = 'message_store_version';
  IF version IS DISTINCT FROM '1.3.0' THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format(refused, format('its version is %s, not 1.3.0', COALESCE(version, 'not to be found'))),
      HINT = 'Update it first, with the scripts in Message DB''s folder database/update.';
  END IF;

  -- Its table. Writers wait from here on, and those that have begun are waited for.
  SELECT oid INTO messages FROM pg_class WHERE relnamespace = store AND relname = 'messages' AND relkind = 'r';
  IF messages IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format(refused, 'there is no table message_store.messages'),
      HINT = 'Drop what is left of Message DB, or restore its table.';
  END IF;
  LOCK TABLE message_store.messages IN SHARE ROW EXCLUSIVE MODE;
  FOR found IN
    SELECT expected, number, (
      SELECT concat_ws(' ', attname, format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'NOT NULL' END,
        'DEFAULT ' || pg_get_expr(adbin, adrelid))
      FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
      WHERE attrelid = messages AND attnum = number AND NOT attisdropped AND attgenerated = '' AND attidentity = ''
    ) AS actual
    FROM unnest(columns) WITH ORDINALITY AS column_of_messages (expected, number)
  LOOP
    IF found.actual IS DISTINCT FROM found.expected THEN
      RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = format(refused, format('column %s of message_store.messages is %s, not %s', found.number,
          COALESCE(found.actual, 'missing'), found.expected)),
        HINT = 'Change it back, with ALTER TABLE, or move the messages with the program message-store.';
    END IF;
  END LOOP;
  FOR found IN
    SELECT key AS name, value AS expected,
      (SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
       WHERE indrelid = messages AND relname = key AND indisvalid AND indisready AND indimmediate) AS actual
    FROM jsonb_each_text(indexes)
  LOOP
    IF found.actual IS DISTINCT FROM found.expected THEN
      RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = format(refused, format('index %s is %s', found.name,
          COALESCE(found.actual, 'missing, not valid or deferrable'))),
        HINT = format('What it should be: %s', found.expected);
    END IF;
  END LOOP;
  sequence := pg_get_serial_sequence('message_store.messages', 'global_position')::regclass;
  IF sequence IS NULL OR NOT EXISTS (
    SELECT FROM pg_sequence WHERE seqrelid = sequence AND seqincrement = 1 AND seqcache = 1 AND NOT seqcycle
  ) THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format(refused, 'message_store.messages_global_position_seq does not count by 1, without a cache and without a cycle, or is not the column''s own'),
      HINT = 'ALTER SEQUENCE message_store.messages_global_position_seq INCREMENT 1 CACHE 1 NO CYCLE OWNED BY message_store.messages.global_position';
  END IF;

  -- What is written in SQL, to the letter.
  SELECT string_agg(CASE WHEN attisdropped THEN 'a dropped attribute' ELSE
    concat_ws(' ', attname, format_type(atttypid, atttypmod)) END, ', ' ORDER BY attnum) INTO wrong
  FROM pg_type JOIN pg_attribute ON attrelid = typrelid
  WHERE typnamespace = store AND typname = 'message' AND attnum > 0;
  IF wrong IS DISTINCT FROM attributes THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format(refused, format('type message_store.message is (%s)', COALESCE(wrong, 'missing'))),
      HINT = 'Install it again, with the script database/install-functions.sh of Message DB 1.3.0.';
  END IF;
  FOR found IN
    SELECT key AS name, count(pg_proc.oid) AS number,
      bool_and(CASE WHEN prokind = 'f' THEN md5(replace(pg_get_functiondef(pg_proc.oid), E'\r', '')) = value ELSE false END)
        AS genuine
    FROM jsonb_each_text(stay || move) LEFT JOIN pg_proc ON pronamespace = store AND proname = key
    GROUP BY key ORDER BY key
  LOOP
    wrong := CASE
      WHEN found.number = 0 THEN 'function message_store.%I is missing'
      WHEN found.number > 1 THEN 'there is more than one function message_store.%I'
      WHEN NOT found.genuine THEN 'function message_store.%I is not Message DB''s own'
    END;
    IF wrong IS NOT NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = format(refused, format(wrong, found.name)),
        HINT = CASE WHEN found.number > 1 THEN 'Drop the others, or give them another name.'
          ELSE 'Install it again, with the script database/install-functions.sh of Message DB 1.3.0; keep a changed one under another name or in another schema.' END;
    END IF;
  END LOOP;
  FOR found IN
    SELECT key AS name, md5(replace(pg_get_viewdef(pg_class.oid), 'messages.', '')) = value AND reloptions IS NULL AS genuine
    FROM jsonb_each_text(views) LEFT JOIN pg_class ON relnamespace = store AND relname = key AND relkind = 'v'
  LOOP
    IF found.genuine IS NOT TRUE THEN
      RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = format(refused, format('view message_store.%I is missing or not Message DB''s own', found.name)),
        HINT = 'Install it again, with the script database/install-views.sh of Message DB 1.3.0; keep a changed one under another name.';
    END IF;
  END LOOP;
  SELECT string_agg(DISTINCT proname, ', ') INTO wrong
  FROM pg_proc WHERE pronamespace = store AND proname = ANY (added);
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format(refused, format('schema message_store has functions of your own with names of Message Store: %s', wrong)),
      HINT = 'Give them other names, or move them to another schema.';
  END IF;
  IF to_regnamespace(aside::text) IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format(refused, format('there is a schema %s already', aside)),
      HINT = format('If it is left from an earlier adoption: DROP SCHEMA %s CASCADE', aside);
  END IF;

  FOR found IN SELECT oid::regprocedure AS name FROM pg_proc WHERE pronamespace = store AND stay ? proname LOOP
    EXECUTE format('ALTER EXTENSION message_store ADD FUNCTION %s', found.name);
  END LOOP;
  ALTER EXTENSION message_store ADD TYPE message_store.message;
  FOR found IN SELECT key AS name FROM jsonb_each(views) LOOP
    EXECUTE format('ALTER EXTENSION message_store ADD VIEW message_store.%I', found.name);
  END LOOP;
  EXECUTE format('CREATE SCHEMA %I', aside);
  EXECUTE format('ALTER EXTENSION message_store DROP SCHEMA %I', aside);
  FOR found IN SELECT oid::regprocedure AS name FROM pg_proc WHERE pronamespace = store AND move ? proname LOOP
    EXECUTE format('ALTER FUNCTION %s SET SCHEMA %I', found.name, aside);
  END LOOP;
  PERFORM set_config('message_store.adopted', (SELECT string_agg(name, ',') FROM jsonb_object_keys(stay) AS name), true);
  RAISE NOTICE USING MESSAGE = 'Message DB 1.3.0 is adopted',
    HINT = format('The functions that Message Store has its own of are in schema %s. Drop it when the transactions of now have ended.', aside);
  PERFORM set_config('search_path', own_path, true);
END
$adoption$;
