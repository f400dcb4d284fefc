-- How many messages each type and stream has, and which part of all that is, in percent.
CREATE OR REPLACE VIEW type_stream_summary AS
SELECT
  type, stream_name,
  pg_catalog.count(*) AS message_count,
  pg_catalog.round(
    100::numeric OPERATOR(pg_catalog.*) pg_catalog.count(*)::numeric
      OPERATOR(pg_catalog./) pg_catalog.sum(pg_catalog.count(*)) OVER (),
    2
  ) AS percent
FROM messages
GROUP BY 1, 2
ORDER BY 1, 2;
