INSERT INTO sdk_versions
VALUES (
    $provider, $version, $digest, $path, $sha256, $level, $why_not_higher, $active, $published_at, $discovery_id
)
ON CONFLICT (provider, version) DO UPDATE SET
    level = excluded.level,
    why_not_higher = excluded.why_not_higher,
    active = excluded.active,
    published_at = excluded.published_at,
    discovery_id = excluded.discovery_id
