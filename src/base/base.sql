-- base: the schema of the API, and the check that must run first.
--
-- The schema is made here and not named in the control file: CREATE EXTENSION would take one that somebody
-- else made before, and DROP EXTENSION would leave it behind.

-- CREATE EXTENSION searches the schema of pgcrypto too. Whoever may create something there could have made a function
-- that fits a call below better than the server's own, and views would go on calling it with our rights.
SET LOCAL search_path = pg_catalog, pg_temp;

CREATE SCHEMA paws_sync;
COMMENT ON SCHEMA paws_sync IS 'What applications and operators call of paws_sync; holds no data.';
REVOKE ALL ON SCHEMA paws_sync FROM PUBLIC;

CREATE FUNCTION paws_sync.check_preload() RETURNS void
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'paws_check_preload';
REVOKE ALL ON FUNCTION paws_sync.check_preload() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.check_preload() IS
	'Fails with a hint when the library is not in shared_preload_libraries; the install script calls it.';

SELECT paws_sync.check_preload();
