-- Reads of a stream, and the last line of defence of its version.
CREATE UNIQUE INDEX messages_stream ON messages (stream_name, position);
