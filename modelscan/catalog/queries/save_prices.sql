INSERT INTO price_versions
SELECT v.id, v.provider, v.model, v.valid_from, v.tariff, v.evidence
FROM (
    SELECT unnest(from_json($versions, '[{
        "id": "VARCHAR", "provider": "VARCHAR", "model": "VARCHAR", "valid_from": "TIMESTAMPTZ",
        "tariff": "JSON", "evidence": "JSON"
    }]')) AS v
)
