SELECT provider, "before", "after", "at", evidence
FROM health_changes
QUALIFY row_number() OVER (PARTITION BY provider ORDER BY "at" DESC, rowid DESC) = 1
ORDER BY provider
