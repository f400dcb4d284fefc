DELETE FROM {schema}"{prefix}messages" WHERE stream_name = ?1 AND position <= ?2
