-- The runs that ended, began before $before, and led to no version.
SELECT id
FROM discovery_logs
WHERE created_at < $before
    AND state IN ('succeeded', 'failed')
    AND id NOT IN (SELECT discovery_id FROM sdk_versions WHERE discovery_id IS NOT NULL)
