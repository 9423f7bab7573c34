-- Is this server ready for the tests? A row below names a setting that is missing and what to do about it;
-- then the tests stop here.
SELECT NOT EXISTS (
	SELECT FROM regexp_split_to_table(current_setting('shared_preload_libraries'), '\s*,\s*') AS library
	WHERE regexp_replace(trim(library, ' "'), '^.*/', '') ~ '^paws_sync(\.so)?$') AS not_preloaded \gset
SELECT 'shared_preload_libraries' AS missing_setting, 'add paws_sync and restart the server' AS what_to_do
	WHERE :'not_preloaded';
\if :not_preloaded
\quit
\endif
SELECT 'paws_sync.databases' AS missing_setting, 'add ' || current_database() || ' and reload the server' AS what_to_do
	WHERE current_database() <> ALL (regexp_split_to_array(current_setting('paws_sync.databases'), '\s*,\s*'));
SET client_min_messages = warning;
CREATE EXTENSION paws_sync CASCADE;
RESET client_min_messages;
SELECT 'paws_sync.care_root' AS missing_setting, detail AS what_to_do
	FROM paws_sync.status() WHERE component = 'keys care' AND state <> 'ready';
SELECT rolsuper AS superuser FROM pg_roles WHERE rolname = current_user;
DROP EXTENSION paws_sync;
DROP EXTENSION pgcrypto;
