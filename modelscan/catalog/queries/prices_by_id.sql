SELECT id, provider, model, valid_from, tariff, evidence
FROM price_versions
WHERE id IN (SELECT unnest($ids::VARCHAR[]))
