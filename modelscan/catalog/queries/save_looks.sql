INSERT INTO observed_providers (provider, inputs, sources, state, observed_at, run_id, pending)
SELECT v.provider, v.inputs, v.sources, v.state, v.observed_at, v.run_id, v.pending
FROM (
    SELECT unnest(from_json($looks, '[{
        "provider": "VARCHAR", "inputs": "VARCHAR", "sources": ["VARCHAR"], "state": "JSON",
        "observed_at": "TIMESTAMPTZ", "run_id": "VARCHAR", "pending": "BOOLEAN"
    }]')) AS v
)
ON CONFLICT (provider) DO UPDATE SET
    inputs = excluded.inputs,
    sources = excluded.sources,
    state = excluded.state,
    observed_at = excluded.observed_at,
    run_id = excluded.run_id,
    pending = excluded.pending
