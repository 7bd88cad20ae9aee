-- Who is served, and what the operator typed to have it: its discovery's identifier and base URL.
SELECT
    v.provider,
    coalesce(d.identifier, v.provider) AS identifier,
    d.document->>'base_url' AS base_url
FROM sdk_versions AS v
LEFT JOIN discovery_logs AS d ON d.id = v.discovery_id
WHERE v.active
ORDER BY v.provider
