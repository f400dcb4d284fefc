SELECT global_position FROM {schema}"{prefix}messages" WHERE id = ?1
