INSERT INTO facts (subject, field, record, value, confidence)
SELECT DISTINCT ON (f.subject, f.field, f.record) f.subject, f.field, f.record, f.value, f.confidence
FROM (
    SELECT unnest(from_json($facts, '[{
        "subject": "VARCHAR", "field": "VARCHAR", "record": "VARCHAR", "value": "VARCHAR", "confidence": "DOUBLE"
    }]')) AS f
)
ON CONFLICT (subject, field, record) DO UPDATE SET value = excluded.value, confidence = excluded.confidence
