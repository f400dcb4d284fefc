DELETE FROM {schema}"{prefix}messages" WHERE 0
