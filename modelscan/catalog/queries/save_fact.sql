INSERT INTO facts (subject, field, record, value, confidence)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT (subject, field, record) DO UPDATE SET value = excluded.value, confidence = excluded.confidence
