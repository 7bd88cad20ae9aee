-- Who approved or rejected a change; NULL where nobody did, or it is no longer known.

ALTER TABLE drift_events ADD COLUMN judged_by VARCHAR;
