SELECT substr(stream_name, 1, instr(stream_name || '-', '-') - 1) AS category, count(*), sum(message_count)
FROM (SELECT stream_name, count(*) AS message_count FROM {schema}"{prefix}messages" GROUP BY stream_name)
GROUP BY category ORDER BY category
