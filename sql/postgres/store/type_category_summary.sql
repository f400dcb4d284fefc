-- How many messages each type and category has, and which part of all that is, in percent.
CREATE VIEW type_category_summary AS
SELECT
  type, message_store.category(stream_name) AS category,
  count(*) AS message_count,
  round(100 * count(*)::numeric / sum(count(*)) OVER (), 2) AS percent
FROM messages
GROUP BY 1, 2
ORDER BY 1, 2;
