-- crisis: the crisis lane's own documents and keys. No foreign key leads out of this schema or into it.

CREATE SCHEMA paws_crisis;
COMMENT ON SCHEMA paws_crisis IS 'Documents, feeds and keys of the crisis lane of paws_sync; shares no table with any other.';
REVOKE ALL ON SCHEMA paws_crisis FROM PUBLIC;

CREATE TABLE paws_crisis.subject_key (
	key_id uuid PRIMARY KEY,
	subject_no bigint NOT NULL,
	version integer NOT NULL CHECK (version OPERATOR(pg_catalog.>) 0),
	kek_epoch integer NOT NULL CHECK (kek_epoch OPERATOR(pg_catalog.>) 0),
	public_key bytea NOT NULL CHECK (pg_catalog.octet_length(public_key) OPERATOR(pg_catalog.=) 32),
	wrapped bytea NOT NULL CHECK (pg_catalog.octet_length(wrapped) OPERATOR(pg_catalog.=) 73),
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	UNIQUE (subject_no, version)
);
CREATE INDEX subject_key_kek_epoch_idx ON paws_crisis.subject_key (kek_epoch, key_id);
REVOKE ALL ON TABLE paws_crisis.subject_key FROM PUBLIC;
COMMENT ON TABLE paws_crisis.subject_key IS 'Key pairs of subjects: crisis documents are sealed to the public half, which takes no secret.';
COMMENT ON COLUMN paws_crisis.subject_key.key_id IS 'Random id, named in the header of every envelope under this key.';
COMMENT ON COLUMN paws_crisis.subject_key.subject_no IS 'Number of the subject in the registry.';
COMMENT ON COLUMN paws_crisis.subject_key.version IS 'Counts a subject''s keys; the highest seals.';
COMMENT ON COLUMN paws_crisis.subject_key.kek_epoch IS 'Key-encryption epoch of the crisis root that wraps the secret half.';
COMMENT ON COLUMN paws_crisis.subject_key.public_key IS 'Public half, X25519.';
COMMENT ON COLUMN paws_crisis.subject_key.wrapped IS 'Secret half, wrapped: version byte, nonce, encrypted key, tag.';
COMMENT ON COLUMN paws_crisis.subject_key.created_at IS 'When the pair was made.';

CREATE TABLE paws_crisis.root_check (
	root smallint PRIMARY KEY,
	value bytea NOT NULL CHECK (pg_catalog.octet_length(value) OPERATOR(pg_catalog.=) 32),
	established_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
REVOKE ALL ON TABLE paws_crisis.root_check FROM PUBLIC;
COMMENT ON TABLE paws_crisis.root_check IS 'What the crisis root''s base secret gives under its check purpose, so that another keyring is noticed.';
COMMENT ON COLUMN paws_crisis.root_check.root IS 'Number of the root.';
COMMENT ON COLUMN paws_crisis.root_check.value IS 'A keyed hash; tells nothing of the key.';
COMMENT ON COLUMN paws_crisis.root_check.established_at IS 'When the first device was registered.';

SELECT pg_catalog.pg_extension_config_dump('paws_crisis.subject_key', '');
SELECT pg_catalog.pg_extension_config_dump('paws_crisis.root_check', '');
