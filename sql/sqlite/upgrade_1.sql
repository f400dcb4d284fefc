-- From version 1 to 2, beside the new tables.
ALTER TABLE {schema}"{prefix}message_store_schema" ADD COLUMN notify TEXT NOT NULL DEFAULT 'off';
