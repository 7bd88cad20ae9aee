-- Changes that no line of the feed tells any more. What is held or was rejected stays, and each field's newest one: by
-- it is known what counts.
DELETE FROM drift_events
WHERE found_at < $before
    AND state NOT IN ('held', 'rejected')
    AND id NOT IN (SELECT event FROM drift_feed)
    AND id NOT IN (
        SELECT id
        FROM drift_events
        QUALIFY row_number() OVER (PARTITION BY kind, provider, model, field ORDER BY seq DESC) = 1
    )
