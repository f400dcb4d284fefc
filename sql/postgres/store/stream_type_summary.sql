-- How many messages each stream and type has, and which part of all that is, in percent.
CREATE VIEW stream_type_summary AS
SELECT
  stream_name, type,
  count(*) AS message_count,
  round(100 * count(*)::numeric / sum(count(*)) OVER (), 2) AS percent
FROM messages
GROUP BY 1, 2
ORDER BY 1, 2;
