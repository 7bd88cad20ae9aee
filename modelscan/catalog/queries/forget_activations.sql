-- Steps before $before about versions that cannot be served again, but for what tells that one was rolled back.
DELETE FROM activations AS a
WHERE a."at" < $before
    AND NOT EXISTS (
        FROM sdk_sources AS s WHERE s.provider = a.provider AND (s.version = a.version OR s.version = a.before)
    )
    AND NOT EXISTS (
        FROM activations AS r
        WHERE r.provider = a.provider
            AND (
                (r.kind = 'rolled-back' AND (r.before = a.version OR r.before = a.before))
                OR (r.kind = 'canary-rolled-back' AND (r.version = a.version OR r.version = a.before))
            )
    )
