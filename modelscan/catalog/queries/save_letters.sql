INSERT INTO drift_outbox
SELECT l.id, l.body, l.created_at, l.state, l.attempts, l.next_at, l.said
FROM (
    SELECT unnest(from_json($letters, '[{
        "id": "VARCHAR", "body": "VARCHAR", "created_at": "TIMESTAMPTZ", "state": "VARCHAR", "attempts": "INTEGER",
        "next_at": "TIMESTAMPTZ", "said": "VARCHAR"
    }]')) AS l
)
