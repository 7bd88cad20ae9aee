INSERT INTO source_listings (source, url, etag, last_modified, sha256, answered_at, checked_at, body)
VALUES ($source, $url, $etag, $last_modified, $sha256, $answered_at, $checked_at, $body)
ON CONFLICT (source) DO UPDATE SET
    url = excluded.url,
    etag = excluded.etag,
    last_modified = excluded.last_modified,
    sha256 = excluded.sha256,
    answered_at = excluded.answered_at,
    checked_at = excluded.checked_at,
    body = excluded.body
