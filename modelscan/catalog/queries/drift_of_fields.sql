-- All events of the fields that are asked for, oldest first.
SELECT e.*
FROM drift_events AS e
SEMI JOIN (
    SELECT unnest(from_json($fields, '[{
        "kind": "VARCHAR", "provider": "VARCHAR", "model": "VARCHAR", "field": "VARCHAR"
    }]')) AS f
) AS asked
    ON e.kind = asked.f.kind
    AND e.provider = asked.f.provider
    AND e.field = asked.f.field
    AND e.model IS NOT DISTINCT FROM asked.f.model
ORDER BY e.seq
