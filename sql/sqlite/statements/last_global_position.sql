SELECT seq, EXISTS (SELECT 1 FROM {schema}"{prefix}messages")
FROM {schema}sqlite_sequence WHERE name = '{prefix}messages'
