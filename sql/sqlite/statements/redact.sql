UPDATE {schema}"{prefix}messages" SET data = ?2, metadata = ?2 WHERE id = ?1
