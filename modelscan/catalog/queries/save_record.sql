INSERT INTO source_records (id, source, subject, url, fetched_at, sha256, trusted, stale, note, payload)
VALUES ($id, $source, $subject, $url, $fetched_at, $sha256, $trusted, $stale, $note, $payload)
ON CONFLICT (id) DO UPDATE SET
    fetched_at = excluded.fetched_at,
    sha256 = excluded.sha256,
    stale = excluded.stale,
    note = excluded.note
WHERE excluded.fetched_at >= source_records.fetched_at AND (source_records.stale OR NOT excluded.stale)
