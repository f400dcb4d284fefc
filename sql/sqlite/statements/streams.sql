SELECT stream_name, max(position), count(*)
FROM {schema}"{prefix}messages" WHERE stream_name >= ?1
    AND global_position <= (SELECT max(global_position) FROM {schema}"{prefix}messages")
GROUP BY stream_name ORDER BY stream_name
