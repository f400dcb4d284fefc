-- How many messages each stream has, and which part of all that is, in percent.
CREATE VIEW stream_summary AS
SELECT
  stream_name,
  count(*) AS message_count,
  round(100 * count(*)::numeric / sum(count(*)) OVER (), 2) AS percent
FROM messages
GROUP BY 1
ORDER BY 1;
