INSERT INTO model_families
SELECT $provider, unnest(from_json($families, '["VARCHAR"]'))
ON CONFLICT DO NOTHING
