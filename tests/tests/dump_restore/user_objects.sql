-- What a user adds to a store and expects back from a restore.
ALTER TABLE message_store.messages ADD COLUMN note text DEFAULT 'none';
ALTER TABLE message_store.messages ADD CONSTRAINT messages_type_not_secret CHECK (type <> 'Secret');
CREATE INDEX messages_amount ON message_store.messages ((data ->> 'amount'));

CREATE TABLE public.audit (global_position bigint PRIMARY KEY, type text);

CREATE FUNCTION public.audit_message() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
AS $$
BEGIN
  INSERT INTO public.audit VALUES (NEW.global_position, NEW.type);
  RETURN NULL;
END;
$$;

CREATE TRIGGER audit_messages AFTER INSERT ON message_store.messages
FOR EACH ROW EXECUTE FUNCTION public.audit_message();

CREATE VIEW public.large_deposits AS
SELECT global_position, message_store.category(stream_name::varchar) AS category
FROM message_store.messages
WHERE (data ->> 'amount')::int > 90;

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reporting') THEN
    CREATE ROLE reporting;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL;
END;
$$;
GRANT USAGE ON SCHEMA message_store TO reporting;
GRANT SELECT ON message_store.messages, message_store.stream_summary TO reporting;
