-- What Message DB grants the role of its name. Run with the default store's schema first in search_path.
GRANT SELECT, INSERT ON messages TO message_store;
GRANT USAGE, SELECT ON SEQUENCE messages_global_position_seq TO message_store;
GRANT SELECT ON
  stream_summary, type_summary, stream_type_summary, type_stream_summary, category_type_summary, type_category_summary
TO message_store;
GRANT SELECT ON stream_heads TO message_store;
GRANT SELECT, INSERT, UPDATE ON consumer_positions TO message_store;
