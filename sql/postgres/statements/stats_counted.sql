-- The numbers of messages, streams and categories, counted.
SELECT
  COALESCE(pg_catalog.sum(streams.messages), 0)::pg_catalog.int8 AS messages,
  pg_catalog.count(*) AS streams,
  pg_catalog.count(DISTINCT streams.category) AS categories
FROM (
  SELECT message_store.category(stream_name) AS category, pg_catalog.count(*) AS messages
  FROM {schema}.messages GROUP BY stream_name
) AS streams
