-- From each category to the next one, ?1 of them at most.
WITH RECURSIVE categories (name) AS (
    SELECT (
        SELECT substr(stream_name, 1, instr(stream_name || '-', '-') - 1)
        FROM {schema}"{prefix}messages"
        ORDER BY substr(stream_name, 1, instr(stream_name || '-', '-') - 1) LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT substr(stream_name, 1, instr(stream_name || '-', '-') - 1)
        FROM {schema}"{prefix}messages" AS messages
        WHERE substr(stream_name, 1, instr(stream_name || '-', '-') - 1) > categories.name
        ORDER BY substr(stream_name, 1, instr(stream_name || '-', '-') - 1) LIMIT 1
    )
    FROM categories WHERE categories.name IS NOT NULL
    LIMIT ?1
)
SELECT count(name) FROM categories
