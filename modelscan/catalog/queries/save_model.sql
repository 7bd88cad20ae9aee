INSERT INTO models
SELECT
    $provider, m.id, m.name, m.family, m.context_tokens, m.output_tokens, m.capabilities,
    m.price.input_mtok, m.price.output_mtok, m.price.cache_read_mtok, m.price.cache_write_mtok
FROM (
    SELECT unnest(from_json($models, '[{
        "id": "VARCHAR", "name": "VARCHAR", "family": "VARCHAR",
        "context_tokens": "BIGINT", "output_tokens": "BIGINT", "capabilities": ["VARCHAR"],
        "price": {
            "input_mtok": "DECIMAL(18,9)", "output_mtok": "DECIMAL(18,9)",
            "cache_read_mtok": "DECIMAL(18,9)", "cache_write_mtok": "DECIMAL(18,9)"
        }
    }]')) AS m
)
ON CONFLICT (provider, id) DO UPDATE SET
    name = excluded.name,
    family = excluded.family,
    context_tokens = excluded.context_tokens,
    output_tokens = excluded.output_tokens,
    capabilities = excluded.capabilities,
    input_mtok = excluded.input_mtok,
    output_mtok = excluded.output_mtok,
    cache_read_mtok = excluded.cache_read_mtok,
    cache_write_mtok = excluded.cache_write_mtok
