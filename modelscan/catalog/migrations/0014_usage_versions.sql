-- Which version of its provider's client a request was answered with, and which one was tried before that and failed.

ALTER TABLE usage_tracking ADD COLUMN sdk_version INTEGER;
ALTER TABLE usage_tracking ADD COLUMN failed_version INTEGER;
