-- How many messages each type and stream has, and which part of all that is, in percent.
CREATE VIEW type_stream_summary AS
SELECT
  type, stream_name,
  count(*) AS message_count,
  round(100 * count(*)::numeric / sum(count(*)) OVER (), 2) AS percent
FROM messages
GROUP BY 1, 2
ORDER BY 1, 2;
