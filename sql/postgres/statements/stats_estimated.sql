-- The same of a large table, from {sampled} of its {pages} pages, more or less, which chance chooses.
--
-- Messages: as many as there are to a page of those seen. Streams: a message of a stream of n messages stands for 1/n of
-- a stream. Categories: the first {categories} are counted through the index; where there are more, as streams are.
WITH RECURSIVE
  sample AS MATERIALIZED (
    SELECT
      stream_name, message_store.category(stream_name) AS category,
      (ctid::pg_catalog.text::pg_catalog.point)[0] AS page, pg_catalog.row_number() OVER () AS nr
    FROM {schema}.messages TABLESAMPLE SYSTEM (100.0 OPERATOR(pg_catalog.*) {sampled} OPERATOR(pg_catalog./) {pages})
      REPEATABLE (1)
  ),
  whole AS MATERIALIZED (
    SELECT COALESCE(
      pg_catalog.count(*)::pg_catalog.float8 OPERATOR(pg_catalog.*) {pages}
        OPERATOR(pg_catalog./) NULLIF(pg_catalog.count(DISTINCT page), 0),
      0
    ) AS messages
    FROM sample
  ),
  category (name) AS (
    (SELECT message_store.category(stream_name) FROM {schema}.messages ORDER BY 1 LIMIT 1)
    UNION ALL
    SELECT (
      SELECT message_store.category(stream_name) FROM {schema}.messages
      WHERE message_store.category(stream_name) OPERATOR(pg_catalog.>) category.name ORDER BY 1 LIMIT 1
    )
    FROM category WHERE category.name IS NOT NULL
  ),
  counted AS MATERIALIZED (
    SELECT pg_catalog.count(first.name) AS categories
    FROM (SELECT category.name FROM category LIMIT {categories}) AS first
  )
SELECT
  pg_catalog.round(whole.messages)::pg_catalog.int8 AS messages,
  pg_catalog.round(whole.messages OPERATOR(pg_catalog.*) (
    -- Positions have no gap: a stream has as many messages as lie between its first and its last.
    SELECT COALESCE(pg_catalog.avg(1.0 OPERATOR(pg_catalog./) (
      1 OPERATOR(pg_catalog.+) (
        SELECT m.position FROM {schema}.messages AS m WHERE m.stream_name OPERATOR(pg_catalog.=) sample.stream_name
        ORDER BY m.position DESC LIMIT 1
      ) OPERATOR(pg_catalog.-) (
        SELECT m.position FROM {schema}.messages AS m WHERE m.stream_name OPERATOR(pg_catalog.=) sample.stream_name
        ORDER BY m.position LIMIT 1
      )
    )), 0)::pg_catalog.float8
    FROM sample WHERE pg_catalog.mod(sample.nr, 10) OPERATOR(pg_catalog.=) 0
  ))::pg_catalog.int8 AS streams,
  CASE WHEN counted.categories OPERATOR(pg_catalog.<) {categories} THEN counted.categories
  ELSE GREATEST(counted.categories, pg_catalog.round(whole.messages OPERATOR(pg_catalog.*) (
    -- One of {large} messages and more counts for nothing.
    SELECT COALESCE(
      pg_catalog.avg(CASE WHEN size.n OPERATOR(pg_catalog.<) {large} THEN 1.0 OPERATOR(pg_catalog./) size.n ELSE 0 END), 0
    )::pg_catalog.float8
    FROM sample, LATERAL (
      SELECT pg_catalog.count(*) AS n FROM (
        SELECT FROM {schema}.messages AS m
        WHERE message_store.category(m.stream_name) OPERATOR(pg_catalog.=) sample.category LIMIT {large}
      ) AS few
    ) AS size
    WHERE pg_catalog.mod(sample.nr, 50) OPERATOR(pg_catalog.=) 0
  ))::pg_catalog.int8) END AS categories
FROM whole, counted
