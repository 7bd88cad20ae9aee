SELECT *
FROM drift_events
WHERE ($kinds IS NULL OR list_contains($kinds, kind))
  AND ($states IS NULL OR list_contains($states, state))
  AND ($provider IS NULL OR provider = $provider)
  AND ($since IS NULL OR found_at >= $since)
  AND ($before IS NULL OR seq < (SELECT seq FROM drift_events WHERE id = $before))
ORDER BY seq DESC
LIMIT $limit
