-- From each stream to the next one, ?1 of them at most.
WITH RECURSIVE streams (name) AS (
    SELECT (SELECT stream_name FROM {schema}"{prefix}messages" ORDER BY stream_name LIMIT 1)
    UNION ALL
    SELECT (
        SELECT stream_name FROM {schema}"{prefix}messages" AS messages
        WHERE stream_name > streams.name ORDER BY stream_name LIMIT 1
    )
    FROM streams WHERE streams.name IS NOT NULL
    LIMIT ?1
)
SELECT count(name) FROM streams
