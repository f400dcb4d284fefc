CREATE EXTENSION message_store;
