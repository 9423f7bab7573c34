-- crisis: the crisis lane's own documents and keys. No foreign key leads out of this schema or into it.

CREATE SCHEMA paws_crisis;
COMMENT ON SCHEMA paws_crisis IS 'Documents, feeds and keys of the crisis lane of paws_sync; shares no table with any other.';
REVOKE ALL ON SCHEMA paws_crisis FROM PUBLIC;

CREATE TABLE paws_crisis.data_key (
	key_id uuid PRIMARY KEY,
	subject_no bigint NOT NULL,
	purpose smallint NOT NULL,
	version integer NOT NULL,
	kek_epoch integer NOT NULL,
	wrapped bytea NOT NULL,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	UNIQUE (subject_no, purpose, version)
);
REVOKE ALL ON TABLE paws_crisis.data_key FROM PUBLIC;
COMMENT ON TABLE paws_crisis.data_key IS 'Wrapped data keys of the crisis lane.';
COMMENT ON COLUMN paws_crisis.data_key.wrapped IS 'The key, sealed under a key that is not in the database.';

SELECT pg_catalog.pg_extension_config_dump('paws_crisis.data_key', '');
