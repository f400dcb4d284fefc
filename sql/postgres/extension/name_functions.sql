-- Functions that look at nothing but their argument. Those that replace one are Message DB's.
CREATE OR REPLACE FUNCTION message_store.category(stream_name varchar) RETURNS varchar
  LANGUAGE c IMMUTABLE AS 'MODULE_PATHNAME', 'message_store_category';
COMMENT ON FUNCTION message_store.category(varchar) IS
  'The category of a stream: its name up to the first -, the whole name without one';

CREATE OR REPLACE FUNCTION message_store.id(stream_name varchar) RETURNS varchar
  LANGUAGE c IMMUTABLE AS 'MODULE_PATHNAME', 'message_store_id';
COMMENT ON FUNCTION message_store.id(varchar) IS
  'The id of a stream: its name after the first -, NULL without one';

CREATE OR REPLACE FUNCTION message_store.cardinal_id(stream_name varchar) RETURNS varchar
  LANGUAGE c IMMUTABLE AS 'MODULE_PATHNAME', 'message_store_cardinal_id';
COMMENT ON FUNCTION message_store.cardinal_id(varchar) IS
  'The id of a stream up to its first +, NULL without an id';

CREATE OR REPLACE FUNCTION message_store.is_category(stream_name varchar) RETURNS boolean
  LANGUAGE c IMMUTABLE AS 'MODULE_PATHNAME', 'message_store_is_category';
COMMENT ON FUNCTION message_store.is_category(varchar) IS
  'Whether the name has no -; true for NULL';

CREATE OR REPLACE FUNCTION message_store.hash_64(value varchar) RETURNS bigint
  LANGUAGE c IMMUTABLE AS 'MODULE_PATHNAME', 'message_store_hash_64';
COMMENT ON FUNCTION message_store.hash_64(varchar) IS
  'The first 64 bits of the value''s MD5, as a signed integer';

CREATE OR REPLACE FUNCTION message_store.message_store_version() RETURNS varchar
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_message_store_version';
COMMENT ON FUNCTION message_store.message_store_version() IS
  'The version of Message DB whose interface this is';

CREATE FUNCTION message_store.message_store_release() RETURNS varchar
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_message_store_release';
COMMENT ON FUNCTION message_store.message_store_release() IS
  'The version of Message Store itself';
