-- care: the ordinary lane's documents and what a subject is entitled to.

CREATE SCHEMA paws_care;
COMMENT ON SCHEMA paws_care IS 'Documents, feeds and entitlements of the ordinary lane of paws_sync.';
REVOKE ALL ON SCHEMA paws_care FROM PUBLIC;

CREATE TABLE paws_care.entitlement (
	subject_no bigint PRIMARY KEY REFERENCES paws_registry.subject,
	tier smallint NOT NULL CHECK (tier OPERATOR(pg_catalog.>=) 1 AND tier OPERATOR(pg_catalog.<=) 4),
	until timestamptz,
	changed_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
REVOKE ALL ON TABLE paws_care.entitlement FROM PUBLIC;
COMMENT ON TABLE paws_care.entitlement IS 'The tier that each subject is served as, and until when; without a row, or after its end, it is trial.';

SELECT pg_catalog.pg_extension_config_dump('paws_care.entitlement', '');

CREATE TABLE paws_care.counter (
	subject_no bigint PRIMARY KEY,
	position bigint NOT NULL DEFAULT 0,
	expired bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
REVOKE ALL ON TABLE paws_care.counter FROM PUBLIC;
COMMENT ON TABLE paws_care.counter IS 'The last position of each subject''s feed; its row lock orders the changes of a subject.';
COMMENT ON COLUMN paws_care.counter.expired IS 'Entries up to this position have expired.';

CREATE TABLE paws_care.document (
	subject_no bigint NOT NULL,
	revision bigint NOT NULL,
	position bigint NOT NULL,
	base_revision bigint NOT NULL,
	changed_at timestamptz NOT NULL,
	doc_id uuid NOT NULL,
	op_id uuid NOT NULL,
	collection smallint NOT NULL,
	deleted boolean NOT NULL,
	seal bytea,
	envelope bytea,
	PRIMARY KEY (subject_no, doc_id)
) WITH (fillfactor = 90, vacuum_truncate = off);
ALTER TABLE paws_care.document ALTER COLUMN envelope SET STORAGE EXTERNAL;
CREATE INDEX document_tombstone_idx ON paws_care.document (subject_no) WHERE deleted;
REVOKE ALL ON TABLE paws_care.document FROM PUBLIC;
COMMENT ON TABLE paws_care.document IS 'Documents of the ordinary lane, as they are now; a deleted one stays as a tombstone until every live device has passed it.';
COMMENT ON COLUMN paws_care.document.op_id IS 'The operation that made this revision; part of the envelope''s context, as is base_revision.';
COMMENT ON COLUMN paws_care.document.seal IS 'MAC over the envelope''s commitment and the revision.';
COMMENT ON COLUMN paws_care.document.envelope IS 'The sealed payload; NULL for a tombstone.';

CREATE TABLE paws_care.branch (
	subject_no bigint NOT NULL,
	position bigint NOT NULL,
	base_revision bigint NOT NULL,
	kept_at timestamptz NOT NULL,
	doc_id uuid NOT NULL,
	op_id uuid NOT NULL,
	deleted boolean NOT NULL,
	envelope bytea,
	PRIMARY KEY (subject_no, doc_id, position)
);
ALTER TABLE paws_care.branch ALTER COLUMN envelope SET STORAGE EXTERNAL;
REVOKE ALL ON TABLE paws_care.branch FROM PUBLIC;
COMMENT ON TABLE paws_care.branch IS 'Changes that lost a conflict in a collection with on_conflict branch; nothing that was accepted is thrown away.';

CREATE TABLE paws_care.feed (
	subject_no bigint NOT NULL,
	position bigint NOT NULL,
	device_no bigint NOT NULL,
	revision bigint NOT NULL,
	finished_at timestamptz NOT NULL,
	op_id uuid NOT NULL,
	doc_id uuid NOT NULL,
	collection smallint NOT NULL,
	outcome smallint NOT NULL,
	reason smallint NOT NULL,
	deleted boolean NOT NULL,
	PRIMARY KEY (subject_no, position)
);
CREATE UNIQUE INDEX feed_receipt_idx ON paws_care.feed (device_no, op_id);
REVOKE ALL ON TABLE paws_care.feed FROM PUBLIC;
COMMENT ON TABLE paws_care.feed IS 'What happened to each operation of the ordinary lane, in commit order for each subject; an entry is the operation''s receipt and never changes.';
COMMENT ON COLUMN paws_care.feed.outcome IS 'Code of paws_sync.outcome: applied, conflict, superseded or rejected.';

CREATE TABLE paws_care.acknowledged (
	device_no bigint PRIMARY KEY,
	position bigint NOT NULL,
	acknowledged_at timestamptz NOT NULL
) WITH (fillfactor = 50);
REVOKE ALL ON TABLE paws_care.acknowledged FROM PUBLIC;
COMMENT ON TABLE paws_care.acknowledged IS 'How far each device has come in the feed, by its own word.';

CREATE TABLE paws_care.cursor_epoch (
	epoch bigint PRIMARY KEY,
	begun_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
REVOKE ALL ON TABLE paws_care.cursor_epoch FROM PUBLIC;
COMMENT ON TABLE paws_care.cursor_epoch IS 'Epochs of cursors after the first; a new one makes every device begin anew.';

SELECT pg_catalog.pg_extension_config_dump('paws_care.counter', '');
SELECT pg_catalog.pg_extension_config_dump('paws_care.document', '');
SELECT pg_catalog.pg_extension_config_dump('paws_care.branch', '');
SELECT pg_catalog.pg_extension_config_dump('paws_care.feed', '');
SELECT pg_catalog.pg_extension_config_dump('paws_care.acknowledged', '');
SELECT pg_catalog.pg_extension_config_dump('paws_care.cursor_epoch', '');
