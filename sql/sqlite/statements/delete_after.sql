DELETE FROM {schema}"{prefix}messages" WHERE global_position > ?1
