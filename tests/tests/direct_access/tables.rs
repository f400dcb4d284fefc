//! What owners make of a table of messages.

/// A store's table, changed.
pub struct Table {
    /// What is special about it.
    pub name: &'static str,
    /// Run by the superuser, with the store's schema first in search_path. `{role}` is a role of its own.
    pub setup: &'static str,
    /// Who runs the script; empty for `message_store`.
    pub role: &'static str,
}

const fn table(name: &'static str, setup: &'static str) -> Table {
    Table { name, setup, role: "" }
}

/// Tables of many kinds.
pub const TABLES: &[Table] = &[
    table("as created", ""),
    table(
        "another constraint under the name of the option's",
        "ALTER TABLE messages ADD CONSTRAINT message_store_append_lock_stream CHECK (position < 3)",
    ),
    table("a type of message with one attribute more", "ALTER TYPE message ADD ATTRIBUTE more text"),
    table("a type of message with a number for a text", "ALTER TYPE message ALTER ATTRIBUTE data TYPE bigint"),
    table("a type of message with a text for a number", "ALTER TYPE message ALTER ATTRIBUTE position TYPE varchar"),
    table(
        "a trigger that changes and drops rows",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF NEW.type = 'dropped' THEN RETURN NULL; END IF;
           IF NEW.type = 'changed' THEN NEW.data = '{\"changed\": true}'; END IF;
           IF NEW.type = 'refused' THEN RAISE 'refused'; END IF;
           RETURN NEW;
         END $$;
         CREATE TRIGGER t BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION f()",
    ),
    table(
        "a trigger that logs elsewhere",
        "CREATE TABLE public.log (entry text, n bigint); GRANT ALL ON public.log TO message_store;
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           INSERT INTO public.log VALUES (NEW.type, NEW.global_position); RETURN NULL; END $$;
         CREATE TRIGGER t AFTER INSERT ON messages FOR EACH ROW EXECUTE FUNCTION f()",
    ),
    table(
        "a trigger that writes another message",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           PERFORM message_store.write_message('10000000-0000-4000-8000-' || right(NEW.id::text, 12), 'audit-1', 'Audited', '{}');
           RETURN NULL; END $$;
         CREATE TRIGGER t AFTER INSERT ON messages FOR EACH ROW WHEN (NEW.type <> 'Audited') EXECUTE FUNCTION f()",
    ),
    table(
        "statement triggers",
        "CREATE TABLE public.log (entry text, n bigserial); GRANT ALL ON public.log, public.log_n_seq TO message_store;
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           INSERT INTO public.log SELECT string_agg(type, ',') FROM inserted; RETURN NULL; END $$;
         CREATE TRIGGER t AFTER INSERT ON messages REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION f()",
    ),
    table(
        "a deferred trigger that refuses",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;
         CREATE CONSTRAINT TRIGGER t AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
           WHEN (NEW.type = 'refused') EXECUTE FUNCTION f()",
    ),
    table(
        "a foreign key of the table",
        "CREATE TABLE kinds (type text PRIMARY KEY); INSERT INTO kinds VALUES ('T'), ('U');
         ALTER TABLE messages ADD FOREIGN KEY (type) REFERENCES kinds",
    ),
    table(
        "a foreign key to the table",
        "CREATE TABLE uses (id uuid REFERENCES messages (id))",
    ),
    table("a generated column", "ALTER TABLE messages ADD COLUMN extra text GENERATED ALWAYS AS (type || '!') STORED"),
    table("a check constraint", "ALTER TABLE messages ADD CONSTRAINT checked CHECK (type <> 'refused')"),
    table("a constraint that is not checked yet", "ALTER TABLE messages ADD CONSTRAINT checked CHECK (type <> 'refused') NOT VALID"),
    table("a column more", "ALTER TABLE messages ADD COLUMN extra text DEFAULT 'x'"),
    table("a column more that takes no null", "ALTER TABLE messages ADD COLUMN extra text NOT NULL"),
    table("a column that is gone", "ALTER TABLE messages ADD COLUMN extra text; ALTER TABLE messages DROP COLUMN extra"),
    table("a column with a value for older rows", "SELECT write_message('20000000-0000-4000-8000-000000000001', 'account-1', 'Old', '{}');
         ALTER TABLE messages ADD COLUMN extra text DEFAULT 'old'"),
    table("an identity column", "ALTER TABLE messages ADD COLUMN extra bigint GENERATED ALWAYS AS IDENTITY"),
    table("an index more", "CREATE INDEX extra ON messages (type)"),
    table("a partial index more", "CREATE INDEX extra ON messages (type) WHERE data IS NOT NULL"),
    table("a unique index more", "CREATE UNIQUE INDEX extra ON messages (type)"),
    table("a hash index more", "CREATE INDEX extra ON messages USING hash (id)"),
    table("a gin index more", "CREATE INDEX extra ON messages USING gin (data)"),
    table("a brin index more", "CREATE INDEX extra ON messages USING brin (time)"),
    table("an exclusion constraint", "ALTER TABLE messages ADD EXCLUDE USING btree (id WITH =)"),
    table("a deferrable unique constraint", "DROP INDEX messages_id; ALTER TABLE messages ADD CONSTRAINT messages_id UNIQUE (id) DEFERRABLE INITIALLY DEFERRED"),
    table("data that is never null", "ALTER TABLE messages ALTER data SET NOT NULL"),
    table("metadata that is never null", "ALTER TABLE messages ALTER metadata SET NOT NULL"),
    table("storage of another kind", "ALTER TABLE messages ALTER data SET STORAGE EXTERNAL; ALTER TABLE messages ALTER metadata SET STORAGE PLAIN;
         ALTER TABLE messages ALTER stream_name SET COMPRESSION pglz; ALTER TABLE messages SET (fillfactor = 50, toast_tuple_target = 200)"),
    table("no index of streams", "DROP INDEX messages_stream"),
    table("no index of categories", "DROP INDEX messages_category"),
    table("no index of ids", "DROP INDEX messages_id"),
    table("no primary key", "ALTER TABLE messages DROP CONSTRAINT messages_pkey"),
    table("an index of streams that is not unique", "DROP INDEX messages_stream; CREATE INDEX messages_stream ON messages (stream_name, position)"),
    table("an index of streams in another order", "DROP INDEX messages_stream; CREATE UNIQUE INDEX messages_stream ON messages (stream_name DESC, position DESC)"),
    table("an index of streams of some rows", "DROP INDEX messages_stream; CREATE UNIQUE INDEX messages_stream ON messages (stream_name, position) WHERE type = 'T'"),
    table("an index of streams with another column", "DROP INDEX messages_stream; CREATE UNIQUE INDEX messages_stream ON messages (stream_name, position) INCLUDE (type)"),
    table("an index of streams in another collation", "DROP INDEX messages_stream; CREATE UNIQUE INDEX messages_stream ON messages (stream_name COLLATE {collation}, position)"),
    table("an index of streams by patterns", "DROP INDEX messages_stream; CREATE UNIQUE INDEX messages_stream ON messages (stream_name text_pattern_ops, position)"),
    table("an index of categories by other expressions", "DROP INDEX messages_category;
         CREATE INDEX messages_category ON messages (message_store.category(type), global_position, message_store.category(metadata ->> 'correlationStreamName'))"),
    table("an index of categories with the functions swapped", "DROP INDEX messages_category;
         CREATE INDEX messages_category ON messages (message_store.category(metadata ->> 'correlationStreamName'), global_position, message_store.category(stream_name))"),
    table("an index of categories by another key", "DROP INDEX messages_category;
         CREATE INDEX messages_category ON messages (message_store.category(stream_name), global_position, message_store.category(metadata ->> 'other'))"),
    table("an index of categories by data", "DROP INDEX messages_category;
         CREATE INDEX messages_category ON messages (message_store.category(stream_name), global_position, message_store.category(data ->> 'correlationStreamName'))"),
    table("an index of categories by ids of streams", "DROP INDEX messages_category;
         CREATE INDEX messages_category ON messages (message_store.cardinal_id(stream_name), global_position, message_store.category(metadata ->> 'correlationStreamName'))"),
    table("an index of categories by a function of the same name", "DROP INDEX messages_category;
         CREATE SCHEMA mine; CREATE FUNCTION mine.category(text) RETURNS varchar LANGUAGE sql IMMUTABLE AS $$ SELECT 'x'::varchar $$;
         GRANT USAGE ON SCHEMA mine TO message_store;
         CREATE INDEX messages_category ON messages (mine.category(stream_name), global_position, mine.category(metadata ->> 'correlationStreamName'))"),
    table("an index of categories by an overload of the function", "DROP INDEX messages_category;
         CREATE FUNCTION message_store.category(text) RETURNS varchar LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 'x'; END $$;
         CREATE INDEX messages_category ON messages (message_store.category(stream_name), global_position, message_store.category(metadata ->> 'correlationStreamName'))"),
    table("an index of categories in another order", "DROP INDEX messages_category;
         CREATE INDEX messages_category ON messages (message_store.category(stream_name), global_position DESC, message_store.category(metadata ->> 'correlationStreamName'))"),
    table("an index of categories without correlation", "DROP INDEX messages_category;
         CREATE INDEX messages_category ON messages (message_store.category(stream_name), global_position)"),
    table("a second index of streams", "CREATE UNIQUE INDEX extra ON messages (stream_name, position)"),
    table("names of streams in another collation", "DROP VIEW stream_summary, stream_type_summary, type_stream_summary, category_type_summary, type_category_summary;
         ALTER TABLE messages ALTER stream_name TYPE text COLLATE {collation}"),
    table("another default of time", "ALTER TABLE messages ALTER time SET DEFAULT '2000-01-01'"),
    table("a default of time in another zone", "ALTER TABLE messages ALTER time SET DEFAULT now() AT TIME ZONE 'Asia/Tokyo'"),
    table("no default of time", "ALTER TABLE messages ALTER time DROP DEFAULT"),
    table("another sequence", "CREATE SEQUENCE other START 1000; GRANT ALL ON SEQUENCE other TO message_store;
         ALTER TABLE messages ALTER global_position SET DEFAULT nextval('message_store.other')"),
    table("no sequence", "ALTER TABLE messages ALTER global_position DROP DEFAULT"),
    table("an expression as the global position", "ALTER TABLE messages ALTER global_position SET DEFAULT nextval('message_store.messages_global_position_seq') * 10"),
    table("a rule", "CREATE TABLE public.log (entry text); GRANT ALL ON public.log TO message_store;
         CREATE RULE r AS ON INSERT TO messages DO ALSO INSERT INTO public.log VALUES (NEW.type)"),
    table("a rule that writes nothing", "CREATE RULE r AS ON INSERT TO messages WHERE NEW.type = 'dropped' DO INSTEAD NOTHING"),
    table("a child", "CREATE TABLE child () INHERITS (messages); GRANT SELECT ON child TO message_store;
         INSERT INTO child (position, stream_name, type, id) VALUES (0, 'account-1', 'Child', '20000000-0000-4000-8000-000000000002')"),
    table("a child of another table", "CREATE TABLE parent (LIKE messages); ALTER TABLE messages INHERIT parent"),
    table("unlogged", "ALTER TABLE messages SET UNLOGGED"),
    table("replicated by all of a row", "ALTER TABLE messages REPLICA IDENTITY FULL"),
    table("in a publication", "SET client_min_messages = error; CREATE PUBLICATION p FOR TABLE messages"),
    table("row security that is not on", "CREATE POLICY p ON messages USING (type = 'T')"),
    table("row security", "CREATE POLICY p ON messages USING (type <> 'U') WITH CHECK (type <> 'refused'); ALTER TABLE messages ENABLE ROW LEVEL SECURITY"),
    table("row security that lets nothing through", "ALTER TABLE messages ENABLE ROW LEVEL SECURITY"),
    table("row security for the owner", "CREATE POLICY p ON messages USING (type <> 'U') WITH CHECK (type <> 'refused');
         ALTER TABLE messages ENABLE ROW LEVEL SECURITY; ALTER TABLE messages OWNER TO message_store"),
    table("row security that the owner is not above", "CREATE POLICY p ON messages USING (type <> 'U') WITH CHECK (type <> 'refused');
         ALTER TABLE messages ENABLE ROW LEVEL SECURITY; ALTER TABLE messages FORCE ROW LEVEL SECURITY; ALTER TABLE messages OWNER TO message_store"),
    table("partitioned", "ALTER TABLE messages RENAME TO messages_part; DROP VIEW stream_summary, type_summary, stream_type_summary, type_stream_summary, category_type_summary, type_category_summary;
         ALTER SEQUENCE messages_global_position_seq OWNED BY NONE;
         CREATE TABLE messages (LIKE messages_part INCLUDING DEFAULTS) PARTITION BY RANGE (global_position);
         ALTER TABLE messages ATTACH PARTITION messages_part FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
         GRANT ALL ON messages TO message_store"),
    Table { name: "a role without rights", setup: "CREATE ROLE {role} LOGIN", role: "{role}" },
    Table { name: "a role that may see the schema", setup: "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA message_store TO {role}", role: "{role}" },
    Table { name: "a role that may read", setup: "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA message_store TO {role}; GRANT SELECT ON messages TO {role}; GRANT SELECT ON messages_global_position_seq TO {role}", role: "{role}" },
    Table { name: "a role that may write, and not draw positions", setup: "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA message_store TO {role}; GRANT SELECT, INSERT ON messages TO {role}", role: "{role}" },
    Table { name: "a role that may write", setup: "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA message_store TO {role}; GRANT SELECT, INSERT ON messages TO {role}; GRANT ALL ON messages_global_position_seq TO {role}", role: "{role}" },
    Table { name: "a role that may read some columns", setup: "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA message_store TO {role}; GRANT SELECT (id, stream_name, position, type), INSERT (id, stream_name, position, type, data, metadata) ON messages TO {role}; GRANT ALL ON messages_global_position_seq TO {role}", role: "{role}" },
];
