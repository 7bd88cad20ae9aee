"""The catalogue: the only package that knows DuckDB; each function takes the Database first."""
