-- A message as the reading functions return it. Clients read the columns by their order. An adopted one stays.
DO $$
BEGIN
  IF pg_catalog.to_regtype('message_store.message') IS NULL THEN
    CREATE TYPE message_store.message AS (
      id varchar,
      stream_name varchar,
      type varchar,
      position bigint,
      global_position bigint,
      data varchar,
      metadata varchar,
      time timestamp
    );
  END IF;
END
$$;
COMMENT ON TYPE message_store.message IS
  'A message as the reading functions return it; data and metadata are JSON text, time is UTC';
