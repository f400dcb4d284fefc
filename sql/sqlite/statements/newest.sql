SELECT max(global_position) FROM {schema}"{prefix}messages"
