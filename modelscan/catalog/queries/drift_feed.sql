SELECT f.seq AS line, f."at" AS told_at, f.state AS told_state, f.reason AS told_reason, e.*
FROM drift_feed AS f
JOIN drift_events AS e ON e.id = f.event
WHERE f.seq > $after
ORDER BY f.seq
LIMIT $limit
