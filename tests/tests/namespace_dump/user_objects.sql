-- What a user may add to each of the three namespaces: a column, an index, a trigger, a policy.
ALTER TABLE "tenant-a".messages ADD COLUMN note text DEFAULT 'noted';
CREATE INDEX by_amount ON "tenant-a".messages (((data ->> 'amount')::int)) WHERE type = 'Deposited';

CREATE TABLE "tenant-b".audit (global_position bigint PRIMARY KEY, at timestamp);
CREATE FUNCTION "tenant-b".audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO "tenant-b".audit VALUES (NEW.global_position, NEW.time);
  RETURN NEW;
END
$$;
CREATE TRIGGER audit AFTER INSERT ON "tenant-b".messages FOR EACH ROW EXECUTE FUNCTION "tenant-b".audit();
GRANT ALL ON "tenant-b".audit TO PUBLIC;

ALTER TABLE tenant_c.messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY accounts_only ON tenant_c.messages USING (stream_name LIKE 'account-%') WITH CHECK (stream_name LIKE 'account-%');
COMMENT ON TABLE tenant_c.messages IS 'A comment of the user''s';
