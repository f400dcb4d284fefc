SELECT max(position) FROM {schema}"{prefix}messages" WHERE stream_name = ?1
