WITH counted AS (
    SELECT {row_time} AS by_time, {by}, *
    FROM usage_counts
    WHERE batch > $after AND "at" >= $since AND "at" < $until AND {where}
    UNION ALL BY NAME
    SELECT {rolled_time} AS by_time, {by}, *
    FROM usage_rollups JOIN usage_groups USING (id)
    WHERE grain = $grain AND period >= $since AND period < $until AND {where}
)
SELECT by_time AS "time", {named}, coalesce(sum(requests) FILTER (status >= 400), 0)::BIGINT AS errors, {sums}
FROM counted
GROUP BY by_time, {grouped}
ORDER BY by_time DESC, requests, {descending}
LIMIT 5000
