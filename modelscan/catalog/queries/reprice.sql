-- The rows whose cost is another one by these prices, by the same rule as PriceVersion.cost: whole pico-dollars a token,
-- and a part is unknown where its count or its price is, unless the other one is 0. What is known never becomes unknown.
CREATE TEMP TABLE repriced AS
WITH rungs AS (
    SELECT r.*
    FROM (
        SELECT unnest(from_json($rungs, '[{
            "price_id": "VARCHAR", "provider": "VARCHAR", "model": "VARCHAR",
            "valid_from": "TIMESTAMPTZ", "valid_until": "TIMESTAMPTZ", "least": "BIGINT", "below": "BIGINT",
            "fresh": "HUGEINT", "completion": "HUGEINT", "cached": "HUGEINT", "written": "HUGEINT",
            "reasoning": "HUGEINT", "request": "HUGEINT", "input_audio": "HUGEINT", "input_image": "HUGEINT",
            "output_audio": "HUGEINT", "output_image": "HUGEINT"
        }]')) AS r
    )
),
told AS (
    SELECT
        u.rowid AS place,
        u.provider,
        u.model,
        u.cost_usd AS before,
        r.price_id,
        r,
        u.prompt_tokens AS prompt,
        u.completion_tokens AS completion,
        coalesce(u.cached_tokens, 0) AS cached,
        coalesce(u.cache_write_tokens, 0) AS written,
        coalesce(u.reasoning_tokens, 0) AS thought,
        -- Sound and pictures that cost what the rest does are part of the rest.
        if(r.input_audio IS DISTINCT FROM r.fresh, coalesce(u.input_audio_tokens, 0), 0) AS heard,
        if(r.input_image IS DISTINCT FROM r.fresh, coalesce(u.input_image_tokens, 0), 0) AS seen,
        if(r.output_audio IS DISTINCT FROM r.completion, coalesce(u.output_audio_tokens, 0), 0) AS spoken,
        if(r.output_image IS DISTINCT FROM r.completion, coalesce(u.output_image_tokens, 0), 0) AS drawn
    FROM usage_tracking AS u
    JOIN rungs AS r
        ON r.provider = u.provider
        AND r.model = u.model
        AND u.prompt_tokens >= r.least
        AND (r.below IS NULL OR u.prompt_tokens < r.below)
        AND (r.valid_from IS NULL OR u."at" >= r.valid_from)
        AND (r.valid_until IS NULL OR u."at" < r.valid_until)
    WHERE ($since IS NULL OR u."at" >= $since)
      AND ($until IS NULL OR u."at" < $until)
      -- A version without a cost: the request had sound or pictures when their tokens were not told apart here.
      AND (u.price_id IS NULL OR u.cost_usd IS NOT NULL)
),
counted AS (
    SELECT
        *,
        greatest(prompt - cached - written - heard - seen, 0) AS fresh,
        CASE WHEN completion IS NULL THEN NULL ELSE greatest(completion - thought - spoken - drawn, 0) END AS said
    FROM told
    -- What is more than its whole is not to be believed, and nobody tells which kind a cache held.
    WHERE (heard + seen = 0 OR (cached = 0 AND written = 0 AND heard + seen <= prompt))
      AND (spoken + drawn = 0 OR completion IS NULL OR spoken + drawn <= completion - thought)
),
reckoned AS (
    SELECT
        place, provider, model, before, price_id,
        r.request
        + CASE WHEN fresh = 0 OR r.fresh = 0 THEN 0 ELSE fresh * r.fresh END
        + CASE WHEN cached = 0 OR r.cached = 0 THEN 0 ELSE cached * r.cached END
        + CASE WHEN written = 0 OR r.written = 0 THEN 0 ELSE written * r.written END
        + CASE WHEN said = 0 OR r.completion = 0 THEN 0 ELSE said * r.completion END
        + CASE WHEN thought = 0 OR r.reasoning = 0 THEN 0 ELSE thought * r.reasoning END
        + CASE WHEN heard = 0 OR r.input_audio = 0 THEN 0 ELSE heard * r.input_audio END
        + CASE WHEN seen = 0 OR r.input_image = 0 THEN 0 ELSE seen * r.input_image END
        + CASE WHEN spoken = 0 OR r.output_audio = 0 THEN 0 ELSE spoken * r.output_audio END
        + CASE WHEN drawn = 0 OR r.output_image = 0 THEN 0 ELSE drawn * r.output_image END AS pico
    FROM counted
),
priced AS (
    SELECT
        place, provider, model, before, price_id,
        CASE
            WHEN pico < 1000000000000000000
            THEN (pico::DECIMAL(18, 0) * 0.000000000001::DECIMAL(12, 12))::DECIMAL(18, 12)
        END AS after
    FROM reckoned
)
SELECT place, provider, model, before, after, price_id
FROM priced
WHERE after IS NOT NULL AND after IS DISTINCT FROM before
