SELECT id, provider, model, valid_from, tariff, evidence
FROM price_versions
WHERE ($provider IS NULL OR provider = $provider)
  AND ($model IS NULL OR model = $model)
QUALIFY NOT $newest OR row_number() OVER (PARTITION BY provider, model ORDER BY valid_from DESC) = 1
ORDER BY provider, model, valid_from DESC
