SELECT count(*)
FROM usage_tracking
WHERE cost_usd IS NULL
  AND provider IS NOT NULL
  AND ($provider IS NULL OR provider = $provider)
  AND ($model IS NULL OR model = $model)
  AND ($since IS NULL OR "at" >= $since)
  AND ($until IS NULL OR "at" < $until)
