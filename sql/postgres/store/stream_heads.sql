-- The versions of streams that have lost their last message: their positions are not given out again. A stream that has
-- messages may have a row here, too, an old one that counts for nothing.
CREATE TABLE stream_heads (
  stream_name text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  CONSTRAINT stream_heads_pkey PRIMARY KEY (stream_name)
);
