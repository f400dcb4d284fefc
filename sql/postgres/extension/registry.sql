-- The namespaces beside the default one. Everyone may see all of it but the token hashes; the owner may grant more.
CREATE TABLE message_store.namespaces (
  name varchar COLLATE "C" NOT NULL,
  owner name NOT NULL,
  token_hash varchar,
  description varchar,
  metadata jsonb,
  created_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
  CONSTRAINT namespaces_pkey PRIMARY KEY (name),
  CONSTRAINT namespaces_token_hash UNIQUE (token_hash)
);
COMMENT ON TABLE message_store.namespaces IS
  'The registry of namespaces: the schema of each, the role that owned it when it was registered, and what was said of it';
SELECT pg_catalog.pg_extension_config_dump('message_store.namespaces', '');
GRANT SELECT (name, owner, description, metadata, created_at) ON message_store.namespaces TO PUBLIC;

-- Every connection keeps what it has read of the registry; whatever changes the registry tells them.
CREATE FUNCTION message_store.registry_changed() RETURNS trigger
  LANGUAGE c AS 'MODULE_PATHNAME', 'message_store_registry_changed';
COMMENT ON FUNCTION message_store.registry_changed() IS
  'Trigger: makes every connection read the registry of namespaces again';
CREATE TRIGGER registry_changed
  AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON message_store.namespaces
  FOR EACH STATEMENT EXECUTE FUNCTION message_store.registry_changed();
ALTER TABLE message_store.namespaces ENABLE ALWAYS TRIGGER registry_changed;
