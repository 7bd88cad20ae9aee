INSERT INTO providers (id, name, state, protocol, base_url, auth, created_at)
VALUES ($id, $name, 'active', $protocol, $base_url, $auth, $now)
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name,
    state = excluded.state,
    protocol = excluded.protocol,
    base_url = excluded.base_url,
    auth = excluded.auth
