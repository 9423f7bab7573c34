-- vault: wrapped data keys of the ordinary lane. The crisis lane keeps its own, in its own schema.

CREATE SCHEMA paws_vault;
COMMENT ON SCHEMA paws_vault IS 'paws_sync: wrapped data keys; nothing here opens without the root key';
REVOKE ALL ON SCHEMA paws_vault FROM PUBLIC;

CREATE TABLE paws_vault.data_key (
	key_id uuid PRIMARY KEY,
	subject_no bigint NOT NULL,
	purpose smallint NOT NULL,
	version integer NOT NULL CHECK (version > 0),
	kek_epoch integer NOT NULL CHECK (kek_epoch >= 0),
	wrapped bytea NOT NULL CHECK (pg_catalog.octet_length(wrapped) = 73),
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	UNIQUE (subject_no, purpose, version)
);
ALTER TABLE paws_vault.data_key ALTER COLUMN wrapped SET STORAGE PLAIN;
REVOKE ALL ON TABLE paws_vault.data_key FROM PUBLIC;

COMMENT ON TABLE paws_vault.data_key IS
	'data keys of subjects, each wrapped under the root key or one of its epochs';
COMMENT ON COLUMN paws_vault.data_key.key_id IS
	'random id, named in the header of every envelope under this key';
COMMENT ON COLUMN paws_vault.data_key.subject_no IS 'number of the subject in the registry';
COMMENT ON COLUMN paws_vault.data_key.purpose IS 'what the key seals: 1 payloads';
COMMENT ON COLUMN paws_vault.data_key.version IS
	'counts a subject''s keys of a purpose; the highest seals';
COMMENT ON COLUMN paws_vault.data_key.kek_epoch IS
	'key-encryption epoch that wraps it; 0 is the root itself';
COMMENT ON COLUMN paws_vault.data_key.wrapped IS 'the wrapped key: version byte, nonce, encrypted key, tag';
COMMENT ON COLUMN paws_vault.data_key.created_at IS 'when the key was made';

SELECT pg_catalog.pg_extension_config_dump('paws_vault.data_key', '');

CREATE TABLE paws_vault.root_check (
	root smallint PRIMARY KEY,
	value bytea NOT NULL,
	established_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
REVOKE ALL ON TABLE paws_vault.root_check FROM PUBLIC;
COMMENT ON TABLE paws_vault.root_check IS 'What the keys of this database give under their check purpose, so that other keys are noticed before they seal anything.';
COMMENT ON COLUMN paws_vault.root_check.root IS 'Number of the root: 1 care, 2 crisis.';
COMMENT ON COLUMN paws_vault.root_check.value IS 'A keyed hash; tells nothing of the key.';
COMMENT ON COLUMN paws_vault.root_check.established_at IS 'When the first device was registered under this root.';

SELECT pg_catalog.pg_extension_config_dump('paws_vault.root_check', '');
