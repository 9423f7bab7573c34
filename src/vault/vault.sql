-- vault: wrapped data keys of the ordinary lane. The crisis lane keeps its own, in its own schema.

CREATE SCHEMA paws_vault;
COMMENT ON SCHEMA paws_vault IS 'paws_sync: wrapped data keys; nothing here opens without roots and keyring';
REVOKE ALL ON SCHEMA paws_vault FROM PUBLIC;

CREATE TABLE paws_vault.data_key (
	key_id uuid PRIMARY KEY,
	subject_no bigint NOT NULL,
	purpose smallint NOT NULL,
	version integer NOT NULL CHECK (version > 0),
	kek_epoch integer NOT NULL CHECK (kek_epoch > 0),
	wrapped bytea NOT NULL CHECK (pg_catalog.octet_length(wrapped) = 73),
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	UNIQUE (subject_no, purpose, version)
);
ALTER TABLE paws_vault.data_key ALTER COLUMN wrapped SET STORAGE PLAIN;
REVOKE ALL ON TABLE paws_vault.data_key FROM PUBLIC;

COMMENT ON TABLE paws_vault.data_key IS
	'data keys of subjects, each wrapped under an epoch of the keyring';
COMMENT ON COLUMN paws_vault.data_key.key_id IS
	'random id, named in the header of every envelope under this key';
COMMENT ON COLUMN paws_vault.data_key.subject_no IS 'number of the subject in the registry';
COMMENT ON COLUMN paws_vault.data_key.purpose IS 'what the key seals: 1 payloads';
COMMENT ON COLUMN paws_vault.data_key.version IS
	'counts a subject''s keys of a purpose; the highest seals';
COMMENT ON COLUMN paws_vault.data_key.kek_epoch IS
	'key-encryption epoch that wraps it';
COMMENT ON COLUMN paws_vault.data_key.wrapped IS 'the wrapped key: version byte, nonce, encrypted key, tag';
COMMENT ON COLUMN paws_vault.data_key.created_at IS 'when the key was made';

CREATE INDEX data_key_kek_epoch_idx ON paws_vault.data_key (kek_epoch, key_id);

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

CREATE TABLE paws_vault.key_job (
	job_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kind smallint NOT NULL CHECK (kind OPERATOR(pg_catalog.>=) 1 AND kind OPERATOR(pg_catalog.<=) 3),
	phase smallint NOT NULL DEFAULT 1 CHECK (phase OPERATOR(pg_catalog.>=) 1 AND phase OPERATOR(pg_catalog.<=) 12),
	home smallint NOT NULL DEFAULT 0,
	care_epoch integer NOT NULL DEFAULT 0,
	crisis_epoch integer NOT NULL DEFAULT 0,
	done bigint NOT NULL DEFAULT 0,
	total bigint NOT NULL DEFAULT 0,
	left_over bigint NOT NULL DEFAULT 0,
	entered bigint NOT NULL DEFAULT 0,
	bound bigint NOT NULL DEFAULT 0,
	walk_subject bigint NOT NULL DEFAULT 0,
	walk_position bigint NOT NULL DEFAULT 0,
	walk_key uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
	requested_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	started_at timestamptz,
	finished_at timestamptz
);
CREATE UNIQUE INDEX key_job_waiting_idx ON paws_vault.key_job (kind) WHERE phase OPERATOR(pg_catalog.=) 1;
CREATE INDEX key_job_pending_idx ON paws_vault.key_job (job_id) WHERE finished_at IS NULL;
REVOKE ALL ON TABLE paws_vault.key_job FROM PUBLIC;
COMMENT ON TABLE paws_vault.key_job IS 'Rotations of keys: what was asked for, and how far it has come.';
COMMENT ON COLUMN paws_vault.key_job.kind IS 'What rotates: 1 epochs, 2 data keys, 3 roots.';
COMMENT ON COLUMN paws_vault.key_job.phase IS '1 requested, 2 rewrapping, 3 settling_writers, 4 rewrapping_rest, 5 settling_readers, 6 destroying, 7 making_keys, 8 resealing, 9 deleting_keys, 10 finished, 11 making_epochs, 12 settling_queue.';
COMMENT ON COLUMN paws_vault.key_job.left_over IS 'What could not be done: keys or documents that do not open, keys still in use.';
COMMENT ON COLUMN paws_vault.key_job.entered IS 'Full number of the transaction that began the phase; settling waits for those that ran with it.';
COMMENT ON COLUMN paws_vault.key_job.bound IS 'In settling_queue: operations up to this id are waited for.';

-- A job under way means nothing in another cluster.
SELECT pg_catalog.pg_extension_config_dump('paws_vault.key_job', 'WHERE finished_at IS NOT NULL');
SELECT pg_catalog.pg_extension_config_dump('paws_vault.key_job_job_id_seq', '');

CREATE TABLE paws_vault.foreign_epoch (
	root smallint NOT NULL,
	epoch integer NOT NULL,
	noted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	PRIMARY KEY (root, epoch)
);
REVOKE ALL ON TABLE paws_vault.foreign_epoch FROM PUBLIC;
COMMENT ON TABLE paws_vault.foreign_epoch IS 'Epochs of other databases that keys of this one are, or were, wrapped under: it was restored or cloned.';
COMMENT ON COLUMN paws_vault.foreign_epoch.root IS 'Number of the root: 1 care, 2 crisis.';
COMMENT ON COLUMN paws_vault.foreign_epoch.epoch IS 'Number of the epoch in the keyring.';
COMMENT ON COLUMN paws_vault.foreign_epoch.noted_at IS 'When it was noticed.';

SELECT pg_catalog.pg_extension_config_dump('paws_vault.foreign_epoch', '');

CREATE TABLE paws_vault.erasure (
	erasure_id uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
	subject_no bigint NOT NULL,
	logical_at timestamptz NOT NULL,
	destroyed_at timestamptz,
	irrecoverable_at timestamptz,
	settling bigint NOT NULL DEFAULT 0,
	devices bigint[] NOT NULL,
	care_epoch integer NOT NULL,
	crisis_epoch integer NOT NULL,
	keys integer NOT NULL,
	state smallint NOT NULL DEFAULT 1 CHECK (state OPERATOR(pg_catalog.>=) 1 AND state OPERATOR(pg_catalog.<=) 6),
	subject paws_sync.subject NOT NULL,
	signature bytea CHECK (pg_catalog.octet_length(signature) OPERATOR(pg_catalog.=) 64)
);
CREATE INDEX erasure_subject_idx ON paws_vault.erasure (subject, logical_at);
CREATE INDEX erasure_pending_idx ON paws_vault.erasure (state, logical_at) WHERE state OPERATOR(pg_catalog.<) 6;
CREATE INDEX erasure_irrecoverable_idx ON paws_vault.erasure (irrecoverable_at) WHERE state OPERATOR(pg_catalog.=) 5;
REVOKE ALL ON TABLE paws_vault.erasure FROM PUBLIC;
COMMENT ON TABLE paws_vault.erasure IS 'Subjects that are forgotten, and how far it has come.';
COMMENT ON COLUMN paws_vault.erasure.subject_no IS 'The number that the subject had; it is not given anew.';
COMMENT ON COLUMN paws_vault.erasure.logical_at IS 'When its keys were deleted: nothing opens from then on.';
COMMENT ON COLUMN paws_vault.erasure.destroyed_at IS 'When every epoch was gone from the keyring that its keys may have been wrapped under.';
COMMENT ON COLUMN paws_vault.erasure.irrecoverable_at IS 'When the last backup of the keyring with these epochs is gone, by paws_sync.keyring_backup_retention.';
COMMENT ON COLUMN paws_vault.erasure.settling IS 'Full number of a transaction; those that ran with it may still have written for the subject.';
COMMENT ON COLUMN paws_vault.erasure.devices IS 'Numbers of its devices, until what they left is swept.';
COMMENT ON COLUMN paws_vault.erasure.care_epoch IS 'Newest epoch of care of this database that the keys may have been wrapped under.';
COMMENT ON COLUMN paws_vault.erasure.crisis_epoch IS 'Newest epoch of the crisis root of this database that they may have been wrapped under.';
COMMENT ON COLUMN paws_vault.erasure.keys IS 'How many keys were deleted.';
COMMENT ON COLUMN paws_vault.erasure.state IS '1 deleted, 2 cleared of rows, 3 settling, 4 swept, 5 destroyed, 6 certified.';
COMMENT ON COLUMN paws_vault.erasure.subject IS 'The token of the subject, a keyed pseudonym.';
COMMENT ON COLUMN paws_vault.erasure.signature IS 'Ed25519 over the certificate.';

SELECT pg_catalog.pg_extension_config_dump('paws_vault.erasure', '');
