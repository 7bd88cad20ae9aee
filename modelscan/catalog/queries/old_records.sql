-- What was answered before $before, where the same source has said something newer of the same, and nothing names it.
SELECT id
FROM source_records AS record
WHERE fetched_at < $before
    AND NOT list_contains($named, id)
    AND EXISTS (
        SELECT 1 FROM source_records AS newer
        WHERE newer.source = record.source AND newer.subject = record.subject
            AND (newer.fetched_at > record.fetched_at
                OR (newer.fetched_at = record.fetched_at AND newer.id > record.id))
    )
