-- crisis: the lane's own log. Nothing here can fail or block: no unique index, sequence, trigger or
-- foreign key; the checks are for whoever else writes here.

CREATE TABLE paws_crisis.audit (
	xact bigint NOT NULL,
	chain bigint NOT NULL,
	number bigint NOT NULL,
	at timestamptz NOT NULL,
	place integer NOT NULL,
	operation smallint NOT NULL,
	object smallint NOT NULL,
	class smallint NOT NULL,
	result smallint NOT NULL,
	keyed smallint NOT NULL,
	actor uuid NOT NULL,
	subject uuid,
	before bytea CHECK (pg_catalog.octet_length(before) OPERATOR(pg_catalog.=) 32),
	after bytea CHECK (pg_catalog.octet_length(after) OPERATOR(pg_catalog.=) 32),
	mac bytea CHECK (pg_catalog.octet_length(mac) OPERATOR(pg_catalog.=) 32)
) WITH (vacuum_truncate = off);
-- Empty but for what was written without keys.
CREATE INDEX audit_unkeyed_idx ON paws_crisis.audit (chain, place) WHERE mac IS NULL;
REVOKE ALL ON TABLE paws_crisis.audit FROM PUBLIC;
COMMENT ON TABLE paws_crisis.audit IS 'Audit rows of the crisis lane: what was done, by numbers, pseudonyms and digests alone. Nothing changes them but a MAC that comes late.';
COMMENT ON COLUMN paws_crisis.audit.xact IS 'Full id of the transaction.';
COMMENT ON COLUMN paws_crisis.audit.chain IS 'Random; the rows of one chain were written by one process, one after the other.';
COMMENT ON COLUMN paws_crisis.audit.number IS 'What the operation counts: a revision, a level, how many rows are missing.';
COMMENT ON COLUMN paws_crisis.audit.at IS 'When, to a second, as all that the crisis lane stores.';
COMMENT ON COLUMN paws_crisis.audit.place IS 'Place in the chain, from 0, without gaps.';
COMMENT ON COLUMN paws_crisis.audit.operation IS 'Code of the closed vocabulary audit_operation.';
COMMENT ON COLUMN paws_crisis.audit.object IS 'Code of the closed vocabulary audit_object.';
COMMENT ON COLUMN paws_crisis.audit.class IS 'Code of the class; 0: of none.';
COMMENT ON COLUMN paws_crisis.audit.result IS 'Code of the vocabulary that goes with the operation; 0: none.';
COMMENT ON COLUMN paws_crisis.audit.keyed IS '1: with a MAC from the beginning, 2: the MAC came later, 0: none yet.';
COMMENT ON COLUMN paws_crisis.audit.actor IS 'Pseudonym of the role that called, for a month.';
COMMENT ON COLUMN paws_crisis.audit.subject IS 'Pseudonym of the person, for a month; NULL: about nobody.';
COMMENT ON COLUMN paws_crisis.audit.before IS 'Digest of the object before, with the subjects salt; NULL: there was none, or it was not read.';
COMMENT ON COLUMN paws_crisis.audit.after IS 'Digest of the object after, with the subjects salt; NULL: there is none.';
COMMENT ON COLUMN paws_crisis.audit.mac IS 'Keyed hash of all columns but keyed, under a key that the next row of the chain no longer has.';

SELECT pg_catalog.pg_extension_config_dump('paws_crisis.audit', '');
