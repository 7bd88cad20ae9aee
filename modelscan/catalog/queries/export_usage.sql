COPY (
    SELECT * EXCLUDE (batch, latency_bucket, first_byte_bucket)
    FROM usage_tracking
    WHERE ("at" >= $since OR $since IS NULL) AND ("at" < $until OR $until IS NULL) AND {where}
    ORDER BY "at", request_id
) TO '{file}' ({form})
