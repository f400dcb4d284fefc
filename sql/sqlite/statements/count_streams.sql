SELECT count(*) FROM (SELECT 1 FROM {schema}"{prefix}messages" GROUP BY stream_name)
