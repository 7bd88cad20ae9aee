-- Where a text may name a record.
SELECT table_name, column_name
FROM duckdb_columns()
WHERE database_name = current_database() AND schema_name = current_schema() AND NOT internal
    AND table_name IN (SELECT table_name FROM duckdb_tables() WHERE database_name = current_database())
    AND data_type IN ('VARCHAR', 'JSON', 'VARCHAR[]')
    AND NOT list_contains($own, table_name)
