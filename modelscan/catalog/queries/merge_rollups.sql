CREATE TEMP TABLE merging AS
SELECT grain, period, id, {sums}, true AS merged
FROM usage_rollups
WHERE (grain, period) IN (SELECT DISTINCT (grain, period) FROM usage_rollups WHERE NOT merged)
GROUP BY ALL
