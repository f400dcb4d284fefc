-- The global position of the last message that each consumer of a category has processed.
CREATE TABLE consumer_positions (
  category text NOT NULL,
  consumer text NOT NULL,
  position bigint NOT NULL,
  time timestamp without time zone NOT NULL,
  CONSTRAINT consumer_positions_pkey PRIMARY KEY (category, consumer)
);
