INSERT INTO canaries
VALUES ($provider, $version, $share, $margin, $requests, $minutes, $started_at, $generation)
