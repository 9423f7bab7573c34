-- base: the check that must run first.

CREATE FUNCTION paws_sync.check_preload() RETURNS void
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'paws_check_preload';
REVOKE ALL ON FUNCTION paws_sync.check_preload() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.check_preload() IS
	'Fails with a hint when the library is not in shared_preload_libraries; the install script calls it.';

SELECT paws_sync.check_preload();

REVOKE ALL ON SCHEMA paws_sync FROM PUBLIC;
