-- Functions that write and read messages. Each takes the namespace last; NULL means the caller's own.
CREATE FUNCTION message_store.write_message(
  id varchar,
  stream_name varchar,
  type varchar,
  data jsonb,
  metadata jsonb DEFAULT NULL,
  expected_version bigint DEFAULT NULL,
  namespace varchar DEFAULT NULL
) RETURNS bigint
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_write_message';
COMMENT ON FUNCTION message_store.write_message IS
  'Writes a message to the end of a stream and returns its position there, from 0; a NULL id is generated';

CREATE FUNCTION message_store.get_stream_messages(
  stream_name varchar,
  "position" bigint DEFAULT 0,
  batch_size bigint DEFAULT 1000,
  condition varchar DEFAULT NULL,
  namespace varchar DEFAULT NULL
) RETURNS SETOF message_store.message
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_get_stream_messages';
COMMENT ON FUNCTION message_store.get_stream_messages IS
  'The messages of a stream from a position on, in their order; batch_size -1 for all of them';

CREATE FUNCTION message_store.get_category_messages(
  category varchar,
  "position" bigint DEFAULT 1,
  batch_size bigint DEFAULT 1000,
  correlation varchar DEFAULT NULL,
  consumer_group_member bigint DEFAULT NULL,
  consumer_group_size bigint DEFAULT NULL,
  condition varchar DEFAULT NULL,
  namespace varchar DEFAULT NULL
) RETURNS SETOF message_store.message
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_get_category_messages';
COMMENT ON FUNCTION message_store.get_category_messages IS
  'The messages of a category''s streams from a global position on, in global order; batch_size -1 for all of them';

CREATE FUNCTION message_store.get_last_stream_message(
  stream_name varchar,
  type varchar DEFAULT NULL,
  namespace varchar DEFAULT NULL
) RETURNS SETOF message_store.message
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_get_last_stream_message';
COMMENT ON FUNCTION message_store.get_last_stream_message IS
  'The last message of a stream, or its last one of a type';

CREATE FUNCTION message_store.stream_version(
  stream_name varchar,
  namespace varchar DEFAULT NULL
) RETURNS bigint
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_stream_version';
COMMENT ON FUNCTION message_store.stream_version IS
  'The position of the last message that a stream has had, NULL when it never had one';

CREATE FUNCTION message_store.acquire_lock(
  stream_name varchar,
  namespace varchar DEFAULT NULL
) RETURNS bigint
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_acquire_lock';
COMMENT ON FUNCTION message_store.acquire_lock IS
  'Waits until no other transaction writes to the stream''s category, and keeps it so until this one ends';

CREATE FUNCTION message_store.write_messages(
  stream_name varchar,
  messages jsonb,
  expected_version bigint DEFAULT NULL,
  namespace varchar DEFAULT NULL
) RETURNS jsonb
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_write_messages';
COMMENT ON FUNCTION message_store.write_messages IS
  'Writes an array of messages to the end of a stream, all or none, and returns id, position and global_position of each';

CREATE FUNCTION message_store.get_all_messages(
  "position" bigint DEFAULT 1,
  batch_size bigint DEFAULT 1000,
  namespace varchar DEFAULT NULL
) RETURNS SETOF message_store.message
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_get_all_messages';
COMMENT ON FUNCTION message_store.get_all_messages IS
  'The messages of every stream from a global position on, none of which a later one can precede';

CREATE FUNCTION message_store.list_streams(
  prefix varchar DEFAULT NULL,
  after varchar DEFAULT NULL,
  batch_size bigint DEFAULT 1000,
  namespace varchar DEFAULT NULL
) RETURNS TABLE (stream_name varchar, version bigint, message_count bigint)
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_list_streams';
COMMENT ON FUNCTION message_store.list_streams IS
  'The streams whose name has a prefix and comes after another, in byte order';

CREATE FUNCTION message_store.list_categories(namespace varchar DEFAULT NULL)
  RETURNS TABLE (category varchar, stream_count bigint, message_count bigint)
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_list_categories';
COMMENT ON FUNCTION message_store.list_categories IS
  'The categories, in byte order, with the number of their streams and messages';

CREATE FUNCTION message_store.import_messages(messages jsonb, namespace varchar DEFAULT NULL) RETURNS bigint
  LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'message_store_import_messages';
COMMENT ON FUNCTION message_store.import_messages IS
  'Adds whole messages of another store, ids, positions and times as they are, and returns how many';

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
