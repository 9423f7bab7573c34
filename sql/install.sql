-- Creating the extension: what it needs, and that it never takes over what somebody else made.
\set SHOW_CONTEXT never
SET client_min_messages = warning;

-- it needs pgcrypto
CREATE EXTENSION paws_sync;

-- a schema with one of our names is nobody's but ours
CREATE SCHEMA paws_sync;
CREATE EXTENSION paws_sync CASCADE;
DROP SCHEMA paws_sync;
CREATE SCHEMA paws_crisis;
CREATE EXTENSION paws_sync CASCADE;
DROP SCHEMA paws_crisis;

-- what failed left nothing
SELECT nspname FROM pg_namespace WHERE nspname ~ '^paws_';

-- its schemas are fixed
CREATE EXTENSION pgcrypto;
CREATE EXTENSION paws_sync SCHEMA public;
CREATE EXTENSION paws_sync;
ALTER EXTENSION paws_sync SET SCHEMA public;
CREATE EXTENSION paws_sync;

SELECT e.extversion = v.version AS newest, NOT e.extrelocatable AS fixed, v.superuser, NOT v.trusted AS untrusted,
	v.requires
FROM pg_extension e
JOIN pg_available_extension_versions v ON v.name = e.extname
JOIN pg_available_extensions a ON a.name = e.extname AND a.default_version = v.version
WHERE e.extname = 'paws_sync';

-- an ordinary user sees nothing of it before something is granted
CREATE ROLE regress_paws_nobody;
SET ROLE regress_paws_nobody;
SELECT paws_sync.status();
SELECT * FROM paws_sync.policy;
SELECT * FROM paws_care.document;
RESET ROLE;
DROP ROLE regress_paws_nobody;
