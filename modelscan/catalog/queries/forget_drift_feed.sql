-- A beginning of the feed, so that no line is missing in between; never its last one, by which the next is numbered.
DELETE FROM drift_feed
WHERE seq < coalesce(
    (SELECT min(seq) FROM drift_feed WHERE "at" >= $before),
    (SELECT max(seq) FROM drift_feed)
)
