-- The default store: created, or completed where it was left by an earlier installation. A restore brings its own:
-- pg_dump and pg_restore set row_security off.
DO $$
BEGIN
  IF current_setting('row_security')::boolean THEN
    PERFORM message_store.create_namespace('message_store');
  END IF;
  IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'message_store') THEN
    GRANT USAGE ON SCHEMA message_store TO message_store;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA message_store TO message_store;
  END IF;
END
$$;
