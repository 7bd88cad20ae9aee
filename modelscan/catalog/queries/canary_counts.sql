-- A request counts where its provider was asked and the answer says something of the client: not who was asked too often
-- (429), nor a caller who left (499). One that the canary failed at counts for it alone, whatever came of it then.
WITH asked AS (
    SELECT
        failed_version,
        coalesce(failed_version, sdk_version) AS version,
        failed_version IS NOT NULL OR status >= 400 AS failed
    FROM usage_tracking
    WHERE provider = $provider
        AND "at" >= $since
        AND sdk_version IS NOT NULL
        AND (failed_version IS NOT NULL OR (status NOT IN (429, 499) AND NOT cancelled))
)
SELECT
    count(*) FILTER (version = $version),
    count(*) FILTER (version = $version AND failed),
    count(*) FILTER (version <> $version),
    count(*) FILTER (version <> $version AND failed)
FROM asked
