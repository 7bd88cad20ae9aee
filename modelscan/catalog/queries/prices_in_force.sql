-- The newest version of the price of each model that is published: its id alone, which a router may know already.
SELECT v.id
FROM price_versions AS v
SEMI JOIN models AS m ON m.provider = v.provider AND m.id = v.model
QUALIFY row_number() OVER (PARTITION BY v.provider, v.model ORDER BY v.valid_from DESC) = 1
ORDER BY v.provider, v.model
