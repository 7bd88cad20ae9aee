-- But for each provider's last change: it says how the provider is.
DELETE FROM health_changes
WHERE "at" < $before
    AND rowid NOT IN (
        SELECT rowid
        FROM health_changes
        QUALIFY row_number() OVER (PARTITION BY provider ORDER BY "at" DESC, rowid DESC) = 1
    )
