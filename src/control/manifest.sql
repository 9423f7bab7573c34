-- manifest: what is stored, and how fine. The entries are constants of guard/manifest.c.

CREATE FUNCTION paws_sync.manifest()
	RETURNS TABLE (relation text, column_name text, kind text, tier paws_sync.tier, resolution interval, retention text,
		retained interval, max_payload integer, exported boolean)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 200
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_manifest';
REVOKE ALL ON FUNCTION paws_sync.manifest() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.manifest() IS
	'Every column that is stored: what it holds, how fine its times are, how long it is kept, the largest payload, and whether it may be in what a person is given of their data. One row for each tier where tiers differ.';

-- The vault stands below the manifest and knows nothing of it: what it leaves to defaults is made as coarse here, and the
-- form of its bytes is bounded.
ALTER TABLE paws_vault.data_key ALTER COLUMN created_at
	SET DEFAULT pg_catalog.date_bin('1 hour', pg_catalog.now(), '2000-01-01 00:00:00+00');
ALTER TABLE paws_vault.root_check ALTER COLUMN established_at
	SET DEFAULT pg_catalog.date_bin('1 hour', pg_catalog.now(), '2000-01-01 00:00:00+00');
ALTER TABLE paws_vault.root_check ADD CONSTRAINT root_check_value_form CHECK (pg_catalog.octet_length(value) OPERATOR(pg_catalog.=) 32);
ALTER TABLE paws_crisis.subject_key ALTER COLUMN created_at
	SET DEFAULT pg_catalog.date_bin('1 hour', pg_catalog.now(), '2000-01-01 00:00:00+00');
ALTER TABLE paws_crisis.root_check ALTER COLUMN established_at
	SET DEFAULT pg_catalog.date_bin('1 hour', pg_catalog.now(), '2000-01-01 00:00:00+00');
