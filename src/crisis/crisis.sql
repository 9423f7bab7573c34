-- crisis: the crisis lane's own documents, keys and resources. No foreign key leads out of this schema or into it.

CREATE SCHEMA paws_crisis;
COMMENT ON SCHEMA paws_crisis IS 'Documents, feeds, keys and resources of the crisis lane of paws_sync; shares no table with any other.';
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

-- Operations whose caller could not wait for the subject's counter. An INSERT waits for nobody: so nothing here is unique
-- but the id, and a repeat is told by the receipt when it is applied.
CREATE TABLE paws_crisis.operation (
	id bigint GENERATED ALWAYS AS IDENTITY,
	subject_no bigint NOT NULL,
	device_no bigint NOT NULL,
	base_revision bigint NOT NULL,
	received_at timestamptz NOT NULL,
	op_id uuid NOT NULL,
	doc_id uuid NOT NULL,
	collection smallint NOT NULL,
	mark smallint NOT NULL,
	attempts smallint NOT NULL DEFAULT 0,
	deleted boolean NOT NULL,
	seal paws_registry.seal,
	envelope paws_registry.envelope
) WITH (vacuum_truncate = off, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE paws_crisis.operation ALTER COLUMN envelope SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX operation_subject_no_idx ON paws_crisis.operation (subject_no, id);
REVOKE ALL ON TABLE paws_crisis.operation FROM PUBLIC;
COMMENT ON TABLE paws_crisis.operation IS 'Crisis operations that wait for their subject''s counter: accepted, durable, told to devices as pending; a crisis worker applies them.';
COMMENT ON COLUMN paws_crisis.operation.mark IS 'Reason code that the receipt will tell if it is applied.';
COMMENT ON COLUMN paws_crisis.operation.attempts IS 'Attempts that failed; after five it stays, is told as pending, and later ones go on.';
COMMENT ON COLUMN paws_crisis.operation.seal IS 'MAC over the envelope''s commitment and revision 0, which no document has; NULL if it was written without keys.';
COMMENT ON COLUMN paws_crisis.operation.envelope IS 'The sealed payload; NULL for a deletion.';

CREATE DOMAIN paws_crisis.region AS text
	CONSTRAINT region_form CHECK (VALUE OPERATOR(pg_catalog.~) '^[a-z]{2}(_[a-z0-9]{1,3})?$');
COMMENT ON DOMAIN paws_crisis.region IS 'A country (ISO 3166, or eu), or a part of one: us, us_ny.';

CREATE DOMAIN paws_crisis.contact AS text
	CONSTRAINT contact_form CHECK (VALUE OPERATOR(pg_catalog.~) '^[+]?[0-9]{3,20}$'
		OR pg_catalog.length(VALUE) OPERATOR(pg_catalog.<=) 200 AND VALUE OPERATOR(pg_catalog.~)
			'^https://([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.]){1,8}[a-z]{2,24}(/[a-z0-9._-]+)*/?$');
COMMENT ON DOMAIN paws_crisis.contact IS 'How a crisis resource is reached: digits to dial, or an address that begins with https://.';

-- Public lines, nothing of anybody. What ships is in the library; a row here wins over it.
CREATE TABLE paws_crisis.resource (
	region paws_crisis.region NOT NULL,
	name paws_registry.code_name NOT NULL,
	channel smallint NOT NULL,
	contact paws_crisis.contact,
	set_at timestamptz NOT NULL DEFAULT pg_catalog.date_bin('1 hour', pg_catalog.now(), '2000-01-01 00:00:00+00'),
	PRIMARY KEY (region, name, channel),
	CONSTRAINT channel_fits_contact CHECK (
		channel OPERATOR(pg_catalog.>=) 1 AND channel OPERATOR(pg_catalog.<=) 4
		AND (contact IS NULL
			OR (channel OPERATOR(pg_catalog.>=) 3) OPERATOR(pg_catalog.=) (contact::text OPERATOR(pg_catalog.~) '^https:')))
);
REVOKE ALL ON TABLE paws_crisis.resource FROM PUBLIC;
COMMENT ON TABLE paws_crisis.resource IS 'Crisis resources that an operator set: hotlines, emergency numbers, their web sites.';
COMMENT ON COLUMN paws_crisis.resource.channel IS 'Code of the closed vocabulary of channels.';
COMMENT ON COLUMN paws_crisis.resource.contact IS 'NULL: a line that ships is not shown.';

SELECT pg_catalog.pg_extension_config_dump('paws_crisis.subject_key', '');
SELECT pg_catalog.pg_extension_config_dump('paws_crisis.root_check', '');
SELECT pg_catalog.pg_extension_config_dump('paws_crisis.resource', '');
SELECT pg_catalog.pg_extension_config_dump('paws_crisis.operation', '');
SELECT pg_catalog.pg_extension_config_dump('paws_crisis.operation_id_seq', '');
