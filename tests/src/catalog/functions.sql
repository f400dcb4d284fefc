SELECT
  p.proname AS name,
  pg_get_function_identity_arguments(p.oid) AS identity_args,
  pg_get_function_arguments(p.oid) AS args,
  pg_get_function_result(p.oid) AS result,
  p.provolatile AS volatility,
  p.proisstrict AS strict,
  p.prosecdef AS security_definer,
  p.proparallel AS parallel,
  p.proretset AS setof,
  (
    SELECT array_agg(format_type(argument.type, NULL) ORDER BY argument.number)
    FROM unnest(p.proargtypes) WITH ORDINALITY AS argument (type, number)
  ) AS arg_types,
  p.pronargdefaults AS n_defaults
FROM pg_proc AS p
WHERE p.pronamespace = 'message_store'::regnamespace
ORDER BY p.proname, p.oid
