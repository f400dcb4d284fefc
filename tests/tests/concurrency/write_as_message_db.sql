-- What Message DB's write_message does, without calling any function of the store but the pure ones.
CREATE FUNCTION message_store.write_as_message_db(id varchar, stream_name varchar, type varchar, data jsonb)
RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
  next_position bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(hash_64(category(write_as_message_db.stream_name)));

  SELECT coalesce(max(position), -1) + 1 INTO next_position
  FROM messages
  WHERE messages.stream_name = write_as_message_db.stream_name;

  INSERT INTO messages (id, stream_name, position, type, data)
  VALUES (
    uuid(write_as_message_db.id), write_as_message_db.stream_name, next_position, write_as_message_db.type,
    write_as_message_db.data
  );

  RETURN next_position;
END;
$$;
