SELECT
    p.id,
    p.name,
    p.state,
    p.protocol,
    p.base_url,
    (SELECT count(*) FROM models m WHERE m.provider = p.id) AS model_count,
    v.level,
    v.version
FROM providers p
LEFT JOIN sdk_versions v ON v.provider = p.id AND v.active
ORDER BY p.id
