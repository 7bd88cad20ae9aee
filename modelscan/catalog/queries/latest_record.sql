SELECT *
FROM source_records
WHERE source = $source
  AND subject = $subject
  AND ($url IS NULL OR url = $url)
  AND ($since IS NULL OR (fetched_at >= $since AND NOT stale))
ORDER BY fetched_at DESC
LIMIT 1
