-- How many messages each category and type has, and which part of all that is, in percent.
CREATE OR REPLACE VIEW category_type_summary AS
SELECT
  message_store.category(stream_name) AS category, type,
  pg_catalog.count(*) AS message_count,
  pg_catalog.round(
    100::numeric OPERATOR(pg_catalog.*) pg_catalog.count(*)::numeric
      OPERATOR(pg_catalog./) pg_catalog.sum(pg_catalog.count(*)) OVER (),
    2
  ) AS percent
FROM messages
GROUP BY 1, 2
ORDER BY 1, 2;
