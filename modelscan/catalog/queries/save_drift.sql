INSERT INTO drift_events
SELECT
    e.id, e.kind, e.provider, e.model, e.field, e.source, e.before, e.after, e.evidence, e.found_at, e.run_id,
    e.state, e.reason, e.judged_at, e.seq, e.judged_by
FROM (
    SELECT unnest(from_json($events, '[{
        "id": "VARCHAR", "kind": "VARCHAR", "provider": "VARCHAR", "model": "VARCHAR", "field": "VARCHAR",
        "source": "VARCHAR", "before": "VARCHAR", "after": "VARCHAR", "evidence": "JSON", "found_at": "TIMESTAMPTZ",
        "run_id": "VARCHAR", "state": "VARCHAR", "reason": "VARCHAR", "judged_at": "TIMESTAMPTZ", "seq": "BIGINT",
        "judged_by": "VARCHAR"
    }]')) AS e
)
