INSERT INTO drift_feed
SELECT l.seq, l.event, l.state, l.reason, l.told_at
FROM (
    SELECT unnest(from_json($lines, '[{
        "seq": "BIGINT", "event": "VARCHAR", "state": "VARCHAR", "reason": "VARCHAR", "told_at": "TIMESTAMPTZ"
    }]')) AS l
)
