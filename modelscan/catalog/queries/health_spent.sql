-- US dollars of our own chats since then; one whose cost is unknown counts as the most it may have been.
SELECT coalesce(sum(coalesce(cost_usd, reserved_usd)), 0)::VARCHAR
FROM health_chats
WHERE "at" >= ?
