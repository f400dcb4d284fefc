CREATE VIEW IF NOT EXISTS {schema}"{prefix}stream_summary" AS
    SELECT stream_name, count(*) AS message_count,
        round(100.0 * count(*) / (SELECT count(*) FROM "{prefix}messages"), 2) AS percent
    FROM "{prefix}messages" GROUP BY stream_name ORDER BY stream_name;
CREATE VIEW IF NOT EXISTS {schema}"{prefix}type_summary" AS
    SELECT type, count(*) AS message_count,
        round(100.0 * count(*) / (SELECT count(*) FROM "{prefix}messages"), 2) AS percent
    FROM "{prefix}messages" GROUP BY type ORDER BY type;
CREATE VIEW IF NOT EXISTS {schema}"{prefix}stream_type_summary" AS
    SELECT stream_name, type, count(*) AS message_count,
        round(100.0 * count(*) / (SELECT count(*) FROM "{prefix}messages"), 2) AS percent
    FROM "{prefix}messages" GROUP BY stream_name, type ORDER BY stream_name, type;
CREATE VIEW IF NOT EXISTS {schema}"{prefix}type_stream_summary" AS
    SELECT type, stream_name, count(*) AS message_count,
        round(100.0 * count(*) / (SELECT count(*) FROM "{prefix}messages"), 2) AS percent
    FROM "{prefix}messages" GROUP BY type, stream_name ORDER BY type, stream_name;
CREATE VIEW IF NOT EXISTS {schema}"{prefix}category_type_summary" AS
    SELECT substr(stream_name, 1, instr(stream_name || '-', '-') - 1) AS category, type, count(*) AS message_count,
        round(100.0 * count(*) / (SELECT count(*) FROM "{prefix}messages"), 2) AS percent
    FROM "{prefix}messages" GROUP BY 1, type ORDER BY 1, type;
CREATE VIEW IF NOT EXISTS {schema}"{prefix}type_category_summary" AS
    SELECT type, substr(stream_name, 1, instr(stream_name || '-', '-') - 1) AS category, count(*) AS message_count,
        round(100.0 * count(*) / (SELECT count(*) FROM "{prefix}messages"), 2) AS percent
    FROM "{prefix}messages" GROUP BY type, 2 ORDER BY type, 2;
