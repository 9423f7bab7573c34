-- registry: what both lanes read, and nothing about tiers.

CREATE SCHEMA paws_registry;
COMMENT ON SCHEMA paws_registry IS 'Subjects, devices and collections of paws_sync; read by both lanes.';
REVOKE ALL ON SCHEMA paws_registry FROM PUBLIC;

CREATE DOMAIN paws_registry.code_name AS text
	CONSTRAINT code_name_form CHECK (VALUE OPERATOR(pg_catalog.~) '^[a-z][a-z0-9_]{0,30}$');
COMMENT ON DOMAIN paws_registry.code_name IS 'A name that an operator defines: lower-case letters, digits, underscores.';

-- Domains and not checks of the tables: those are prepared anew by every statement.
CREATE DOMAIN paws_registry.envelope AS bytea
	CONSTRAINT envelope_form CHECK (pg_catalog.substr(VALUE, 1, 3) OPERATOR(pg_catalog.=) '\x505701'
		AND pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.>=) 104);
COMMENT ON DOMAIN paws_registry.envelope IS 'A sealed payload: begins with PW and the version of its format, and has room for header and tag.';

CREATE DOMAIN paws_registry.seal AS bytea
	CONSTRAINT seal_form CHECK (pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.=) 16);
COMMENT ON DOMAIN paws_registry.seal IS 'A MAC over an envelope''s commitment and a revision.';

CREATE TABLE paws_registry.subject (
	subject_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	subject paws_sync.subject NOT NULL UNIQUE,
	created_at timestamptz NOT NULL,
	salt bytea NOT NULL CHECK (pg_catalog.octet_length(salt) OPERATOR(pg_catalog.=) 32)
);
REVOKE ALL ON TABLE paws_registry.subject FROM PUBLIC;
COMMENT ON TABLE paws_registry.subject IS 'Persons, as keyed pseudonyms.';
COMMENT ON COLUMN paws_registry.subject.subject_no IS 'Internal number; never leaves the database.';
COMMENT ON COLUMN paws_registry.subject.subject IS 'The token that backends hold.';
COMMENT ON COLUMN paws_registry.subject.salt IS 'Random; ties audit rows to this person. Goes with the row, and then nothing does.';

-- No foreign keys, here or in other schemas: only functions of ours write these tables, and a parallel restore would load
-- the tables of an extension in any order.
CREATE TABLE paws_registry.device (
	device_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	device paws_sync.device NOT NULL UNIQUE,
	subject_no bigint NOT NULL,
	platform smallint NOT NULL CHECK (platform OPERATOR(pg_catalog.>=) 1 AND platform OPERATOR(pg_catalog.<=) 6),
	crisis_only boolean NOT NULL DEFAULT false,
	registered_at timestamptz NOT NULL,
	revoked_at timestamptz
);
CREATE INDEX device_subject_no_idx ON paws_registry.device (subject_no);
REVOKE ALL ON TABLE paws_registry.device FROM PUBLIC;
COMMENT ON TABLE paws_registry.device IS 'Installations of subjects; a revoked one stays known.';
COMMENT ON COLUMN paws_registry.device.platform IS 'Code of the closed vocabulary of platforms.';
COMMENT ON COLUMN paws_registry.device.crisis_only IS 'Beyond the tier''s number of devices: served in the crisis lane alone.';

-- Processes remember devices, numbers and tiers of subjects; this tells them at the commit of a change, whoever makes it.
-- What is added to these two tables is in no memory yet.
CREATE FUNCTION paws_registry.subject_changed() RETURNS trigger
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'paws_subject_changed';
REVOKE ALL ON FUNCTION paws_registry.subject_changed() FROM PUBLIC;
COMMENT ON FUNCTION paws_registry.subject_changed() IS
	'Makes every process read anew what it remembers of the subjects whose rows were changed.';

CREATE TRIGGER changed AFTER UPDATE OR DELETE ON paws_registry.subject
	FOR EACH ROW EXECUTE FUNCTION paws_registry.subject_changed();
CREATE TRIGGER emptied AFTER TRUNCATE ON paws_registry.subject
	FOR EACH STATEMENT EXECUTE FUNCTION paws_registry.subject_changed();
CREATE TRIGGER changed AFTER UPDATE OR DELETE ON paws_registry.device
	FOR EACH ROW EXECUTE FUNCTION paws_registry.subject_changed();
CREATE TRIGGER emptied AFTER TRUNCATE ON paws_registry.device
	FOR EACH STATEMENT EXECUTE FUNCTION paws_registry.subject_changed();
ALTER TABLE paws_registry.subject ENABLE ALWAYS TRIGGER changed;
ALTER TABLE paws_registry.subject ENABLE ALWAYS TRIGGER emptied;
ALTER TABLE paws_registry.device ENABLE ALWAYS TRIGGER changed;
ALTER TABLE paws_registry.device ENABLE ALWAYS TRIGGER emptied;

CREATE TABLE paws_registry.collection (
	collection_no smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name paws_registry.code_name NOT NULL UNIQUE,
	class smallint NOT NULL CHECK (class OPERATOR(pg_catalog.>=) 1 AND class OPERATOR(pg_catalog.<=) 8),
	on_conflict smallint NOT NULL CHECK (on_conflict OPERATOR(pg_catalog.>=) 1 AND on_conflict OPERATOR(pg_catalog.<=) 3),
	sealing smallint NOT NULL CHECK (sealing OPERATOR(pg_catalog.>=) 1 AND sealing OPERATOR(pg_catalog.<=) 4),
	compressible boolean NOT NULL,
	defined_at timestamptz NOT NULL
);
REVOKE ALL ON TABLE paws_registry.collection FROM PUBLIC;
COMMENT ON TABLE paws_registry.collection IS 'Kinds of documents, with their class, what happens on a conflict, and how they are sealed.';
COMMENT ON COLUMN paws_registry.collection.sealing IS 'Code of the closed vocabulary of sealings; crisis classes are sealed in a way of their own.';
COMMENT ON COLUMN paws_registry.collection.compressible IS 'Payloads may be compressed before they are sealed: then their sizes tell something of what is in them.';

SELECT pg_catalog.pg_extension_config_dump('paws_registry.subject', '');
SELECT pg_catalog.pg_extension_config_dump('paws_registry.subject_subject_no_seq', '');
SELECT pg_catalog.pg_extension_config_dump('paws_registry.device', '');
SELECT pg_catalog.pg_extension_config_dump('paws_registry.device_device_no_seq', '');
SELECT pg_catalog.pg_extension_config_dump('paws_registry.collection', '');
SELECT pg_catalog.pg_extension_config_dump('paws_registry.collection_collection_no_seq', '');
