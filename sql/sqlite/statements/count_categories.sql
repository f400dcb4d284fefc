SELECT count(*) FROM (
    SELECT 1 FROM {schema}"{prefix}messages" GROUP BY substr(stream_name, 1, instr(stream_name || '-', '-') - 1)
)
