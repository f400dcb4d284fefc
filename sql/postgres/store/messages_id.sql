-- Clients recognise a duplicate id by this name in the error.
CREATE UNIQUE INDEX messages_id ON messages (id);
