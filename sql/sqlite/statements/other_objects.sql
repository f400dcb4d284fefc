SELECT group_concat(name, ', ') FROM (
    SELECT name FROM {schema}sqlite_master
    WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT IN (
        'message_store_schema', 'message_store_stream_heads', 'message_store_consumer_positions',
        'messages', 'messages_id', 'messages_stream', 'messages_category',
        'stream_summary', 'type_summary', 'stream_type_summary', 'type_stream_summary',
        'category_type_summary', 'type_category_summary'
    )
    ORDER BY name
)
