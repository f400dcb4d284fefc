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

CREATE FUNCTION message_store.register_namespace(
  name varchar,
  token_hash varchar DEFAULT NULL,
  description varchar DEFAULT NULL,
  metadata jsonb DEFAULT NULL
) RETURNS varchar
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_register_namespace';
COMMENT ON FUNCTION message_store.register_namespace IS
  'Registers a schema that holds a message store, such as a restored one, as a namespace; for its owner';

CREATE FUNCTION message_store.delete_namespace(name varchar, cascade boolean DEFAULT false) RETURNS varchar
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_delete_namespace';
COMMENT ON FUNCTION message_store.delete_namespace IS
  'Deletes a namespace with all its messages; with cascade, whatever else its schema holds too';

CREATE FUNCTION message_store.clear_namespace(name varchar) RETURNS bigint
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_clear_namespace';
COMMENT ON FUNCTION message_store.clear_namespace IS
  'Removes every message of a namespace and returns how many there were; global positions start again at 1';

CREATE FUNCTION message_store.get_namespace(name varchar)
  RETURNS TABLE (name varchar, token_hash varchar, description varchar, metadata varchar, created_at timestamp)
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_get_namespace';
COMMENT ON FUNCTION message_store.get_namespace IS
  'What the registry says of a namespace; for who may read the token hashes';

CREATE FUNCTION message_store.list_namespaces()
  RETURNS TABLE (name varchar, description varchar, metadata varchar, created_at timestamp)
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_list_namespaces';
COMMENT ON FUNCTION message_store.list_namespaces IS
  'The namespaces whose schema the caller may use, the default one included, by name';

CREATE FUNCTION message_store.grant_namespace(name varchar, role varchar, mode varchar DEFAULT 'read') RETURNS varchar
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_grant_namespace';
COMMENT ON FUNCTION message_store.grant_namespace IS
  'Lets a role read a namespace, with mode write also write to it, with admin also remove and redact messages';

CREATE FUNCTION message_store.revoke_namespace(name varchar, role varchar) RETURNS varchar
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_revoke_namespace';
COMMENT ON FUNCTION message_store.revoke_namespace IS
  'Takes back what a role may do in a namespace';

CREATE FUNCTION message_store.set_namespace_option(name varchar, option varchar, value varchar) RETURNS varchar
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_set_namespace_option';
COMMENT ON FUNCTION message_store.set_namespace_option IS
  'Sets an option of a namespace: append_lock, category or stream, is what its writers lock; notify, on or off, whether they tell who listens; for its owner';
