-- store: the tables of one lane. The Makefile puts them in once for each, with its schema and name.

CREATE TABLE @schema@.counter (
	subject_no bigint PRIMARY KEY,
	position bigint NOT NULL DEFAULT 0,
	expired bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
REVOKE ALL ON TABLE @schema@.counter FROM PUBLIC;
COMMENT ON TABLE @schema@.counter IS 'The last position of each subject''s feed; its row lock orders the changes of a subject.';
COMMENT ON COLUMN @schema@.counter.expired IS 'Entries up to this position have expired.';

CREATE TABLE @schema@.document (
	subject_no bigint NOT NULL,
	revision bigint NOT NULL,
	position bigint NOT NULL,
	base_revision bigint NOT NULL,
	changed_at timestamptz NOT NULL,
	doc_id uuid NOT NULL,
	op_id uuid NOT NULL,
	collection smallint NOT NULL,
	deleted boolean NOT NULL,
	seal paws_registry.seal,
	envelope paws_registry.envelope,
	PRIMARY KEY (subject_no, doc_id)
) WITH (fillfactor = 90, vacuum_truncate = off);
ALTER TABLE @schema@.document ALTER COLUMN envelope SET STORAGE EXTERNAL;
CREATE INDEX document_tombstone_idx ON @schema@.document (subject_no) WHERE deleted;
REVOKE ALL ON TABLE @schema@.document FROM PUBLIC;
COMMENT ON TABLE @schema@.document IS 'Documents of the @lane@ lane, as they are now; a deleted one stays as a tombstone until every live device has passed it.';
COMMENT ON COLUMN @schema@.document.op_id IS 'The operation that made this revision; part of the envelope''s context, as is base_revision.';
COMMENT ON COLUMN @schema@.document.seal IS 'MAC over the envelope''s commitment and the revision.';
COMMENT ON COLUMN @schema@.document.envelope IS 'The sealed payload; NULL for a tombstone.';

CREATE TABLE @schema@.branch (
	subject_no bigint NOT NULL,
	position bigint NOT NULL,
	base_revision bigint NOT NULL,
	kept_at timestamptz NOT NULL,
	doc_id uuid NOT NULL,
	op_id uuid NOT NULL,
	collection smallint NOT NULL,
	deleted boolean NOT NULL,
	envelope paws_registry.envelope,
	PRIMARY KEY (subject_no, doc_id, position)
);
ALTER TABLE @schema@.branch ALTER COLUMN envelope SET STORAGE EXTERNAL;
REVOKE ALL ON TABLE @schema@.branch FROM PUBLIC;
COMMENT ON TABLE @schema@.branch IS 'Changes that lost a conflict in a collection with on_conflict branch; nothing that was accepted is thrown away.';
COMMENT ON COLUMN @schema@.branch.collection IS 'Part of the envelope''s context; the document may be gone, or made anew in another collection.';

CREATE TABLE @schema@.feed (
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
CREATE UNIQUE INDEX feed_receipt_idx ON @schema@.feed (device_no, op_id);
REVOKE ALL ON TABLE @schema@.feed FROM PUBLIC;
COMMENT ON TABLE @schema@.feed IS 'What happened to each operation of the @lane@ lane, in commit order for each subject; an entry is the operation''s receipt and never changes.';
COMMENT ON COLUMN @schema@.feed.outcome IS 'Code of paws_sync.outcome: applied, conflict, superseded or rejected.';

CREATE TABLE @schema@.acknowledged (
	device_no bigint PRIMARY KEY,
	position bigint NOT NULL,
	acknowledged_at timestamptz NOT NULL
) WITH (fillfactor = 50);
REVOKE ALL ON TABLE @schema@.acknowledged FROM PUBLIC;
COMMENT ON TABLE @schema@.acknowledged IS 'How far each device has come in the feed, by its own word.';

CREATE TABLE @schema@.cursor_epoch (
	epoch bigint PRIMARY KEY,
	begun_at timestamptz NOT NULL DEFAULT pg_catalog.date_bin('1 hour', pg_catalog.now(), '2000-01-01 00:00:00+00')
);
REVOKE ALL ON TABLE @schema@.cursor_epoch FROM PUBLIC;
COMMENT ON TABLE @schema@.cursor_epoch IS 'Epochs of cursors after the first; a new one makes every device begin anew.';

SELECT pg_catalog.pg_extension_config_dump('@schema@.counter', '');
SELECT pg_catalog.pg_extension_config_dump('@schema@.document', '');
SELECT pg_catalog.pg_extension_config_dump('@schema@.branch', '');
SELECT pg_catalog.pg_extension_config_dump('@schema@.feed', '');
SELECT pg_catalog.pg_extension_config_dump('@schema@.acknowledged', '');
SELECT pg_catalog.pg_extension_config_dump('@schema@.cursor_epoch', '');
