-- Parts of prompt_tokens and completion_tokens; NULL where the provider told of none.

ALTER TABLE usage_tracking ADD COLUMN input_audio_tokens BIGINT;
ALTER TABLE usage_tracking ADD COLUMN output_audio_tokens BIGINT;
ALTER TABLE usage_tracking ADD COLUMN input_image_tokens BIGINT;
ALTER TABLE usage_tracking ADD COLUMN output_image_tokens BIGINT;
