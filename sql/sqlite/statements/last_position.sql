SELECT position FROM {schema}"{prefix}messages" WHERE stream_name = ?1 ORDER BY position DESC
