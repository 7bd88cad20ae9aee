UNION ALL BY NAME
SELECT {rolled_time} AS by_time, {by}, metric, bucket, requests
FROM usage_latencies
WHERE grain = $grain AND period >= $since AND period < $until AND {where}
