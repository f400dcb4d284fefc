-- Functions that manage namespaces.
CREATE FUNCTION message_store.create_namespace(
  name varchar,
  token_hash varchar DEFAULT NULL,
  description varchar DEFAULT NULL,
  metadata jsonb DEFAULT NULL
) RETURNS varchar
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_create_namespace';
COMMENT ON FUNCTION message_store.create_namespace IS
  'Creates a namespace, a schema with a message store of its own, and returns its name';
