-- Not by the name of the function that reads it: a table of that name would hide the function.
CREATE TABLE IF NOT EXISTS {schema}"{prefix}message_store_consumer_positions" (
    category TEXT NOT NULL,
    consumer TEXT NOT NULL,
    position INTEGER NOT NULL,  -- global, of the last message processed
    time TEXT NOT NULL,
    PRIMARY KEY (category, consumer)
) WITHOUT ROWID;
