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

CREATE TABLE paws_crisis.counter (
	subject_no bigint PRIMARY KEY,
	position bigint NOT NULL DEFAULT 0,
	expired bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
REVOKE ALL ON TABLE paws_crisis.counter FROM PUBLIC;
COMMENT ON TABLE paws_crisis.counter IS 'The last position of each subject''s feed; its row lock orders the changes of a subject.';
COMMENT ON COLUMN paws_crisis.counter.expired IS 'Entries up to this position have expired.';

CREATE TABLE paws_crisis.document (
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
ALTER TABLE paws_crisis.document ALTER COLUMN envelope SET STORAGE EXTERNAL;
CREATE INDEX document_tombstone_idx ON paws_crisis.document (subject_no) WHERE deleted;
REVOKE ALL ON TABLE paws_crisis.document FROM PUBLIC;
COMMENT ON TABLE paws_crisis.document IS 'Documents of the crisis lane, as they are now; a deleted one stays as a tombstone until every live device has passed it.';
COMMENT ON COLUMN paws_crisis.document.op_id IS 'The operation that made this revision; part of the envelope''s context, as is base_revision.';
COMMENT ON COLUMN paws_crisis.document.seal IS 'MAC over the envelope''s commitment and the revision.';
COMMENT ON COLUMN paws_crisis.document.envelope IS 'The sealed payload; NULL for a tombstone.';

CREATE TABLE paws_crisis.branch (
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
ALTER TABLE paws_crisis.branch ALTER COLUMN envelope SET STORAGE EXTERNAL;
REVOKE ALL ON TABLE paws_crisis.branch FROM PUBLIC;
COMMENT ON TABLE paws_crisis.branch IS 'Changes that lost a conflict in a collection with on_conflict branch; nothing that was accepted is thrown away.';

CREATE TABLE paws_crisis.feed (
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
CREATE UNIQUE INDEX feed_receipt_idx ON paws_crisis.feed (device_no, op_id);
REVOKE ALL ON TABLE paws_crisis.feed FROM PUBLIC;
COMMENT ON TABLE paws_crisis.feed IS 'What happened to each operation of the crisis lane, in commit order for each subject; an entry is the operation''s receipt and never changes.';
COMMENT ON COLUMN paws_crisis.feed.outcome IS 'Code of paws_sync.outcome: applied, conflict, superseded or rejected.';

CREATE TABLE paws_crisis.acknowledged (
	device_no bigint PRIMARY KEY,
	position bigint NOT NULL,
	acknowledged_at timestamptz NOT NULL
) WITH (fillfactor = 50);
REVOKE ALL ON TABLE paws_crisis.acknowledged FROM PUBLIC;
COMMENT ON TABLE paws_crisis.acknowledged IS 'How far each device has come in the feed, by its own word.';

CREATE TABLE paws_crisis.cursor_epoch (
	epoch bigint PRIMARY KEY,
	begun_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
REVOKE ALL ON TABLE paws_crisis.cursor_epoch FROM PUBLIC;
COMMENT ON TABLE paws_crisis.cursor_epoch IS 'Epochs of cursors after the first; a new one makes every device begin anew.';

SELECT pg_catalog.pg_extension_config_dump('paws_crisis.counter', '');
SELECT pg_catalog.pg_extension_config_dump('paws_crisis.document', '');
SELECT pg_catalog.pg_extension_config_dump('paws_crisis.branch', '');
SELECT pg_catalog.pg_extension_config_dump('paws_crisis.feed', '');
SELECT pg_catalog.pg_extension_config_dump('paws_crisis.acknowledged', '');
SELECT pg_catalog.pg_extension_config_dump('paws_crisis.cursor_epoch', '');
