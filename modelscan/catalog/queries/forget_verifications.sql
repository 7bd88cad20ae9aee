DELETE FROM verifications
WHERE provider = $provider AND version = $version AND rowid NOT IN (
    SELECT rowid
    FROM verifications
    WHERE provider = $provider AND version = $version
    ORDER BY "at" DESC, rowid DESC
    LIMIT $kept
)
