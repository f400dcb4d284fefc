DROP VIEW IF EXISTS {schema}"{prefix}stream_summary";
DROP VIEW IF EXISTS {schema}"{prefix}type_summary";
DROP VIEW IF EXISTS {schema}"{prefix}stream_type_summary";
DROP VIEW IF EXISTS {schema}"{prefix}type_stream_summary";
DROP VIEW IF EXISTS {schema}"{prefix}category_type_summary";
DROP VIEW IF EXISTS {schema}"{prefix}type_category_summary";
DROP TABLE IF EXISTS {schema}"{prefix}messages";
