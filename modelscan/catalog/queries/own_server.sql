-- Whether what is served of a provider is a server that the operator named with a base URL.
SELECT count(*) > 0
FROM sdk_versions AS v
JOIN discovery_logs AS d ON d.id = v.discovery_id
WHERE v.active
  AND v.provider = $provider
  AND d.document->>'base_url' IS NOT NULL
