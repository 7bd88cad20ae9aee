-- The newest record of each source on a provider counts; what an older one said is history, not a conflict.
WITH newest AS (
    SELECT source, subject, arg_max(id, fetched_at) AS id
    FROM source_records
    WHERE $provider IS NULL OR subject = $provider OR starts_with(subject, $provider || '/')
    GROUP BY source, subject
)
SELECT f.subject, f.field, f.value, r.source, r.url, r.fetched_at, r.sha256, r.stale, f.confidence, f.record
FROM facts AS f
JOIN newest AS n ON n.id = f.record
JOIN source_records AS r ON r.id = f.record
ORDER BY f.subject, f.field, r.source
