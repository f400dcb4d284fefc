-- The same of a large table, from some of its {pages} pages. They are looked at one by one, each {step} after the one
-- before, round and round, which spreads them evenly from the first on: until {some_pages} of them had messages and
-- {some_messages} messages were seen, or until there were {most_pages}.
--
-- Messages: as many as there are to a page of those looked at, the empty ones too. Streams: a message of a stream of n
-- messages stands for 1/n of a stream. Categories: the first {categories} are counted through the index; where there are
-- more, as streams are.
WITH RECURSIVE
  looked (pages, block, filled, seen, streams) AS (
    SELECT
      0::pg_catalog.int8, 0::pg_catalog.int8, 0::pg_catalog.int8, 0::pg_catalog.int8,
      (SELECT pg_catalog.array_agg(stream_name) FROM {schema}.messages WHERE false)
    UNION ALL
    SELECT
      looked.pages OPERATOR(pg_catalog.+) 1,
      pg_catalog.mod(looked.block OPERATOR(pg_catalog.+) {step}, {pages}),
      looked.filled OPERATOR(pg_catalog.+) CASE WHEN page.messages OPERATOR(pg_catalog.>) 0 THEN 1 ELSE 0 END,
      looked.seen OPERATOR(pg_catalog.+) page.messages,
      page.streams
    FROM looked, LATERAL (
      SELECT pg_catalog.count(*) AS messages, pg_catalog.array_agg(stream_name) AS streams
      FROM {schema}.messages
      WHERE ctid OPERATOR(pg_catalog.>=) pg_catalog.format('(%s,0)', looked.block)::pg_catalog.tid
        AND ctid OPERATOR(pg_catalog.<)
          pg_catalog.format('(%s,0)', looked.block OPERATOR(pg_catalog.+) 1)::pg_catalog.tid
    ) AS page
    WHERE looked.pages OPERATOR(pg_catalog.<) LEAST({most_pages}, {pages})
      AND (looked.filled OPERATOR(pg_catalog.<) {some_pages} OR looked.seen OPERATOR(pg_catalog.<) {some_messages})
  ),
  whole AS MATERIALIZED (
    SELECT
      pg_catalog.max(looked.seen) AS seen,
      pg_catalog.max(looked.seen)::pg_catalog.float8 OPERATOR(pg_catalog.*) {pages}
        OPERATOR(pg_catalog./) pg_catalog.max(looked.pages) AS messages
    FROM looked
  ),
  sample AS MATERIALIZED (
    SELECT
      stream.name AS stream_name, message_store.category(stream.name) AS category,
      pg_catalog.row_number() OVER () AS nr
    FROM looked, pg_catalog.unnest(looked.streams) AS stream (name)
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
    -- A stream has a gap at most before its first position: it has as many messages as lie between its first and its last.
    SELECT COALESCE(pg_catalog.avg(1.0 OPERATOR(pg_catalog./) (
      1 OPERATOR(pg_catalog.+) (
        SELECT m.position FROM {schema}.messages AS m WHERE m.stream_name OPERATOR(pg_catalog.=) sample.stream_name
        ORDER BY m.position DESC LIMIT 1
      ) OPERATOR(pg_catalog.-) (
        SELECT m.position FROM {schema}.messages AS m WHERE m.stream_name OPERATOR(pg_catalog.=) sample.stream_name
        ORDER BY m.position LIMIT 1
      )
    )), 0)::pg_catalog.float8
    FROM sample
    WHERE pg_catalog.mod(sample.nr, GREATEST(whole.seen OPERATOR(pg_catalog./) {lengths}, 1)) OPERATOR(pg_catalog.=) 0
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
    WHERE pg_catalog.mod(sample.nr, GREATEST(whole.seen OPERATOR(pg_catalog./) {sizes}, 1)) OPERATOR(pg_catalog.=) 0
  ))::pg_catalog.int8) END AS categories
FROM whole, counted
