-- ?2 windows of ?4 global positions from ?1 on, one somewhere in each ?3 positions. What is found: messages in them,
-- and of the first message of each window the average share that it has in its stream.
WITH RECURSIVE windows (number, start) AS (
    SELECT 0, ?1
    UNION ALL
    SELECT number + 1, ?1 + (number + 1) * ?3 + (number + 1) * 7919 % (?3 - ?4) FROM windows WHERE number + 1 < ?2
),
samples (found, stream_name) AS (
    SELECT
        (SELECT count(*) FROM {schema}"{prefix}messages" WHERE global_position >= start AND global_position < start + ?4),
        (
            SELECT stream_name FROM {schema}"{prefix}messages"
            WHERE global_position >= start AND global_position < start + ?4 ORDER BY global_position LIMIT 1
        )
    FROM windows
),
lengths (found, length) AS (
    SELECT
        found,
        (SELECT max(position) FROM {schema}"{prefix}messages" WHERE stream_name = samples.stream_name)
            - (SELECT min(position) FROM {schema}"{prefix}messages" WHERE stream_name = samples.stream_name) + 1
    FROM samples
)
SELECT sum(found), avg(1.0 / length) FROM lengths
