SELECT
    (SELECT count(*) FROM (SELECT 1 FROM {schema}"{prefix}messages" LIMIT ?1)),
    (SELECT min(global_position) FROM {schema}"{prefix}messages"),
    (SELECT max(global_position) FROM {schema}"{prefix}messages"),
    (SELECT time FROM {schema}"{prefix}messages" ORDER BY global_position DESC LIMIT 1)
