INSERT INTO activations
VALUES ($generation, $provider, $kind, $version, $before, $actor, $why, $counts, $at)
