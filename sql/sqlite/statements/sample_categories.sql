-- Of the first message of each window, as in sample.sql, the average share that it has in its category; nothing in one
-- of ?5 messages or more.
WITH RECURSIVE windows (number, start) AS (
    SELECT 0, ?1
    UNION ALL
    SELECT number + 1, ?1 + (number + 1) * ?3 + (number + 1) * 7919 % (?3 - ?4) FROM windows WHERE number + 1 < ?2
),
samples (category) AS (
    SELECT (
        SELECT substr(stream_name, 1, instr(stream_name || '-', '-') - 1) FROM {schema}"{prefix}messages"
        WHERE global_position >= start AND global_position < start + ?4 ORDER BY global_position LIMIT 1
    )
    FROM windows
),
sizes (size) AS (
    SELECT (SELECT count(*) FROM (
        SELECT 1 FROM {schema}"{prefix}messages" AS messages
        WHERE substr(stream_name, 1, instr(stream_name || '-', '-') - 1) = samples.category
        LIMIT ?5
    ))
    FROM samples WHERE category IS NOT NULL
)
SELECT avg(CASE WHEN size < ?5 THEN 1.0 / size ELSE 0 END) FROM sizes
