SELECT *
FROM (
    SELECT *
    FROM drift_events
    WHERE $provider IS NULL OR provider = $provider
    QUALIFY row_number() OVER (PARTITION BY kind, provider, model, field ORDER BY seq DESC) = 1
)
WHERE state IN ('held', 'rejected')
ORDER BY seq
