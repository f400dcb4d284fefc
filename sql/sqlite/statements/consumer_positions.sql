-- The plus takes the column's affinity away, with which the index on the category, an expression, would not be used.
SELECT category, consumer, position, (
    SELECT count(*) FROM {schema}"{prefix}messages" AS messages
    WHERE substr(stream_name, 1, instr(stream_name || '-', '-') - 1) = +consumers.category
        AND global_position > consumers.position
), time
FROM {schema}"{prefix}message_store_consumer_positions" AS consumers
WHERE ?1 IS NULL OR category = ?1
ORDER BY category, consumer
