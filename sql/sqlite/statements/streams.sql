SELECT stream_name, max(position), count(*)
FROM {schema}"{prefix}messages" WHERE stream_name >= ?1
GROUP BY stream_name ORDER BY stream_name
