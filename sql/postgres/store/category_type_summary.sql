-- How many messages each category and type has, and which part of all that is, in percent.
CREATE VIEW category_type_summary AS
SELECT
  message_store.category(stream_name) AS category, type,
  count(*) AS message_count,
  round(100 * count(*)::numeric / sum(count(*)) OVER (), 2) AS percent
FROM messages
GROUP BY 1, 2
ORDER BY 1, 2;
