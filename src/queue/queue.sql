-- queue: the policy matrix, the tiers' limits, and the ordinary queue (levels 1 to 8).

CREATE SCHEMA paws_queue;
COMMENT ON SCHEMA paws_queue IS 'Policy and the ordinary queue of paws_sync.';
REVOKE ALL ON SCHEMA paws_queue FROM PUBLIC;

-- A shipped row is never changed; an operator's row beside it (shipped = false) wins. So dumps hold the operator's rows
-- alone and never collide with what CREATE EXTENSION puts in.
CREATE TABLE paws_queue.policy (
	class smallint NOT NULL CHECK (class OPERATOR(pg_catalog.>=) 1 AND class OPERATOR(pg_catalog.<=) 8),
	tier smallint NOT NULL CHECK (tier OPERATOR(pg_catalog.>=) 1 AND tier OPERATOR(pg_catalog.<=) 4),
	level smallint NOT NULL CHECK (level OPERATOR(pg_catalog.>=) 1 AND level OPERATOR(pg_catalog.<=) 10),
	target_ms integer NOT NULL CHECK (target_ms OPERATOR(pg_catalog.>=) 1 AND target_ms OPERATOR(pg_catalog.<=) 86400000),
	shipped boolean NOT NULL DEFAULT false,
	ops_per_second integer CHECK (ops_per_second OPERATOR(pg_catalog.>=) 0),
	ops_burst integer CHECK (ops_burst OPERATOR(pg_catalog.>=) 0),
	bytes_per_second bigint CHECK (bytes_per_second OPERATOR(pg_catalog.>=) 0),
	bytes_burst bigint CHECK (bytes_burst OPERATOR(pg_catalog.>=) 0),
	pull_bytes_per_second bigint CHECK (pull_bytes_per_second OPERATOR(pg_catalog.>=) 0),
	pull_bytes_burst bigint CHECK (pull_bytes_burst OPERATOR(pg_catalog.>=) 0),
	PRIMARY KEY (class, tier, shipped),
	CONSTRAINT crisis_levels CHECK ((class OPERATOR(pg_catalog.<=) 2) OPERATOR(pg_catalog.=) (level OPERATOR(pg_catalog.>=) 9)),
	CONSTRAINT crisis_is_shipped CHECK (shipped OR class OPERATOR(pg_catalog.>) 2),
	CONSTRAINT crisis_is_unlimited CHECK (class OPERATOR(pg_catalog.>) 2 OR ops_per_second IS NULL),
	CONSTRAINT limits_are_whole CHECK (pg_catalog.num_nulls(ops_per_second, ops_burst, bytes_per_second, bytes_burst,
		pull_bytes_per_second, pull_bytes_burst) OPERATOR(pg_catalog.=) ANY ('{0,6}'::pg_catalog.int4[])),
	CONSTRAINT burst CHECK (
		(ops_per_second OPERATOR(pg_catalog.=) 0 OR ops_burst OPERATOR(pg_catalog.>) 0)
		AND (bytes_per_second OPERATOR(pg_catalog.=) 0 OR bytes_burst OPERATOR(pg_catalog.>) 0)
		AND (pull_bytes_per_second OPERATOR(pg_catalog.=) 0 OR pull_bytes_burst OPERATOR(pg_catalog.>) 0))
);
REVOKE ALL ON TABLE paws_queue.policy FROM PUBLIC;
COMMENT ON TABLE paws_queue.policy IS 'Level and latency target for each class and tier, and its limits where it has some of its own.';
COMMENT ON COLUMN paws_queue.policy.ops_per_second IS 'NULL, as in the other limits: the class has a part in the allowance of its tier.';

CREATE TABLE paws_queue.tier_policy (
	tier smallint NOT NULL CHECK (tier OPERATOR(pg_catalog.>=) 1 AND tier OPERATOR(pg_catalog.<=) 4),
	ops_per_second integer NOT NULL CHECK (ops_per_second OPERATOR(pg_catalog.>=) 0),
	ops_burst integer NOT NULL CHECK (ops_burst OPERATOR(pg_catalog.>=) 0),
	bytes_per_second bigint NOT NULL CHECK (bytes_per_second OPERATOR(pg_catalog.>=) 0),
	bytes_burst bigint NOT NULL CHECK (bytes_burst OPERATOR(pg_catalog.>=) 0),
	max_payload integer NOT NULL CHECK (max_payload OPERATOR(pg_catalog.>=) 0 AND max_payload OPERATOR(pg_catalog.<=) 67108864),
	max_devices integer NOT NULL CHECK (max_devices OPERATOR(pg_catalog.>=) 0),
	offline_hours integer NOT NULL CHECK (offline_hours OPERATOR(pg_catalog.>=) 1 AND offline_hours OPERATOR(pg_catalog.<=) 87600),
	compression smallint NOT NULL,
	compression_level smallint NOT NULL,
	shipped boolean NOT NULL DEFAULT false,
	pull_bytes_per_second bigint NOT NULL CHECK (pull_bytes_per_second OPERATOR(pg_catalog.>=) 0),
	pull_bytes_burst bigint NOT NULL CHECK (pull_bytes_burst OPERATOR(pg_catalog.>=) 0),
	features smallint NOT NULL CHECK (features OPERATOR(pg_catalog.>=) 0 AND features OPERATOR(pg_catalog.<=) 31),
	PRIMARY KEY (tier, shipped),
	CONSTRAINT burst CHECK (
		(ops_per_second OPERATOR(pg_catalog.=) 0 OR ops_burst OPERATOR(pg_catalog.>) 0)
		AND (bytes_per_second OPERATOR(pg_catalog.=) 0 OR bytes_burst OPERATOR(pg_catalog.>) 0)
		AND (pull_bytes_per_second OPERATOR(pg_catalog.=) 0 OR pull_bytes_burst OPERATOR(pg_catalog.>) 0)),
	CONSTRAINT compression_level CHECK (
		compression OPERATOR(pg_catalog.=) 0 AND compression_level OPERATOR(pg_catalog.=) 0
		OR compression OPERATOR(pg_catalog.=) 1 AND compression_level OPERATOR(pg_catalog.>=) 1
			AND compression_level OPERATOR(pg_catalog.<=) 12
		OR compression OPERATOR(pg_catalog.=) 2 AND compression_level OPERATOR(pg_catalog.>=) 1
			AND compression_level OPERATOR(pg_catalog.<=) 19)
);
REVOKE ALL ON TABLE paws_queue.tier_policy FROM PUBLIC;
COMMENT ON TABLE paws_queue.tier_policy IS 'What a tier may push and pull, how long undelivered entries of its feeds are kept, and how its payloads are compressed.';
COMMENT ON COLUMN paws_queue.tier_policy.features IS 'A bit for each feature: the lowest for code 1 of the vocabulary.';
COMMENT ON COLUMN paws_queue.tier_policy.compression IS 'Codec for payloads of compressible collections: 0 none, 1 lz4, 2 zstd.';

--      class, tier (1 trial, 2 basic, 3 premium, 4 grace_period), level, target in ms
INSERT INTO paws_queue.policy (class, tier, level, target_ms, shipped) VALUES
	(1, 1, 10, 200, true), (1, 2, 10, 200, true), (1, 3, 10, 200, true), (1, 4, 10, 200, true),
	(2, 1, 9, 200, true), (2, 2, 9, 200, true), (2, 3, 9, 200, true), (2, 4, 9, 200, true),
	(3, 1, 8, 500, true), (3, 2, 8, 500, true), (3, 3, 8, 500, true), (3, 4, 8, 500, true),
	(4, 1, 5, 2000, true), (4, 2, 6, 2000, true), (4, 3, 7, 500, true), (4, 4, 8, 500, true),
	(5, 1, 3, 5000, true), (5, 2, 4, 5000, true), (5, 3, 6, 500, true), (5, 4, 7, 500, true),
	(6, 1, 3, 10000, true), (6, 2, 4, 5000, true), (6, 3, 5, 500, true), (6, 4, 6, 500, true),
	(7, 1, 2, 30000, true), (7, 2, 2, 30000, true), (7, 3, 2, 30000, true), (7, 4, 3, 30000, true),
	(8, 1, 1, 30000, true), (8, 2, 1, 30000, true), (8, 3, 1, 30000, true), (8, 4, 1, 30000, true);

INSERT INTO paws_queue.tier_policy VALUES
	(1, 2, 500, 65536, 16777216, 65536, 2, 24, 1, 1, true, 262144, 67108864, 1),
	(2, 10, 2000, 262144, 67108864, 262144, 5, 72, 1, 1, true, 1048576, 268435456, 3),
	(3, 50, 10000, 1048576, 268435456, 1048576, 10, 168, 2, 3, true, 4194304, 1073741824, 31),
	(4, 50, 10000, 1048576, 268435456, 1048576, 10, 168, 2, 3, true, 4194304, 1073741824, 31);

CREATE FUNCTION paws_queue.policy_changed() RETURNS trigger
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'paws_policy_changed';
REVOKE ALL ON FUNCTION paws_queue.policy_changed() FROM PUBLIC;
COMMENT ON FUNCTION paws_queue.policy_changed() IS
	'Refuses changes to shipped rows, checks that grace is never below premium, and makes every process read the policy anew.';

CREATE TRIGGER shipped_rows BEFORE INSERT OR UPDATE OR DELETE ON paws_queue.policy
	FOR EACH ROW EXECUTE FUNCTION paws_queue.policy_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON paws_queue.policy
	FOR EACH STATEMENT EXECUTE FUNCTION paws_queue.policy_changed();
CREATE TRIGGER shipped_rows BEFORE INSERT OR UPDATE OR DELETE ON paws_queue.tier_policy
	FOR EACH ROW EXECUTE FUNCTION paws_queue.policy_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON paws_queue.tier_policy
	FOR EACH STATEMENT EXECUTE FUNCTION paws_queue.policy_changed();
ALTER TABLE paws_queue.policy ENABLE ALWAYS TRIGGER shipped_rows;
ALTER TABLE paws_queue.policy ENABLE ALWAYS TRIGGER changed;
ALTER TABLE paws_queue.tier_policy ENABLE ALWAYS TRIGGER shipped_rows;
ALTER TABLE paws_queue.tier_policy ENABLE ALWAYS TRIGGER changed;

-- What operators changed over what is shipped.
CREATE VIEW paws_queue.effective_policy WITH (security_barrier) AS
	SELECT DISTINCT ON (class, tier) *
	FROM paws_queue.policy ORDER BY class, tier, shipped;
REVOKE ALL ON TABLE paws_queue.effective_policy FROM PUBLIC;
COMMENT ON VIEW paws_queue.effective_policy IS 'The policy in force: an operator''s row before the shipped one.';

CREATE VIEW paws_queue.effective_tier_policy WITH (security_barrier) AS
	SELECT DISTINCT ON (tier) * FROM paws_queue.tier_policy ORDER BY tier, shipped;
REVOKE ALL ON TABLE paws_queue.effective_tier_policy FROM PUBLIC;
COMMENT ON VIEW paws_queue.effective_tier_policy IS 'The limits in force: an operator''s row before the shipped one.';

CREATE VIEW paws_queue.effective_limits WITH (security_barrier) AS
	SELECT p.class, p.tier, p.ops_per_second IS NOT NULL AS own_limits,
		coalesce(p.ops_per_second, t.ops_per_second) AS ops_per_second, coalesce(p.ops_burst, t.ops_burst) AS ops_burst,
		coalesce(p.bytes_per_second, t.bytes_per_second) AS bytes_per_second, coalesce(p.bytes_burst, t.bytes_burst) AS bytes_burst,
		coalesce(p.pull_bytes_per_second, t.pull_bytes_per_second) AS pull_bytes_per_second,
		coalesce(p.pull_bytes_burst, t.pull_bytes_burst) AS pull_bytes_burst
	FROM paws_queue.effective_policy p JOIN paws_queue.effective_tier_policy t ON t.tier OPERATOR(pg_catalog.=) p.tier
	WHERE p.class OPERATOR(pg_catalog.>) 2;
REVOKE ALL ON TABLE paws_queue.effective_limits FROM PUBLIC;
COMMENT ON VIEW paws_queue.effective_limits IS 'The limits in force for each ordinary class: its own, or those of its tier.';

CREATE SEQUENCE paws_queue.operation_id AS bigint;
REVOKE ALL ON SEQUENCE paws_queue.operation_id FROM PUBLIC;
COMMENT ON SEQUENCE paws_queue.operation_id IS 'Order of arrival.';

CREATE TABLE paws_queue.operation (
	id bigint NOT NULL DEFAULT pg_catalog.nextval('paws_queue.operation_id'),
	subject_no bigint NOT NULL,
	device_no bigint NOT NULL,
	base_revision bigint NOT NULL,
	rank bigint NOT NULL,
	enqueued_at timestamptz NOT NULL,
	due_at timestamptz NOT NULL,
	not_before timestamptz,
	op_id uuid NOT NULL,
	doc_id uuid NOT NULL,
	level smallint NOT NULL CHECK (level OPERATOR(pg_catalog.>=) 1 AND level OPERATOR(pg_catalog.<=) 8),
	base_level smallint NOT NULL CHECK (base_level OPERATOR(pg_catalog.>=) 1 AND base_level OPERATOR(pg_catalog.<=) level),
	class smallint NOT NULL,
	tier smallint NOT NULL,
	collection smallint NOT NULL,
	attempts smallint NOT NULL DEFAULT 0,
	deleted boolean NOT NULL,
	envelope paws_registry.envelope
) WITH (vacuum_truncate = off, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
	autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE paws_queue.operation ALTER COLUMN envelope SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX operation_order_idx ON paws_queue.operation (level DESC, rank, id);
CREATE UNIQUE INDEX operation_once_idx ON paws_queue.operation (subject_no, doc_id, device_no, op_id);
REVOKE ALL ON TABLE paws_queue.operation FROM PUBLIC;
COMMENT ON TABLE paws_queue.operation IS 'Operations waiting to be applied; a finished one leaves the table in the transaction that applied it.';
COMMENT ON COLUMN paws_queue.operation.rank IS 'Its place in the order of its level: a virtual time, in which each subject has one unit for each operation.';
COMMENT ON COLUMN paws_queue.operation.level IS 'The level that it is served at: the base level, or one that it was raised to.';
COMMENT ON COLUMN paws_queue.operation.base_level IS 'The level that the policy gave it.';
COMMENT ON COLUMN paws_queue.operation.due_at IS 'When its target is missed.';
COMMENT ON COLUMN paws_queue.operation.attempts IS 'Attempts that failed or crashed; counted before an attempt is repeated.';
COMMENT ON COLUMN paws_queue.operation.envelope IS 'The sealed payload; NULL for a deletion.';

CREATE TABLE paws_queue.inflight (
	recorded_at timestamptz NOT NULL,
	worker smallint NOT NULL,
	ids bigint[] NOT NULL
) WITH (vacuum_truncate = off, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
REVOKE ALL ON TABLE paws_queue.inflight FROM PUBLIC;
COMMENT ON TABLE paws_queue.inflight IS 'What each worker is about to apply, committed before it starts: after a crash only these count an attempt. Its one row is replaced with each batch and found by its place, so there is no index.';

CREATE TABLE paws_queue.paused_level (
	level smallint PRIMARY KEY CHECK (level OPERATOR(pg_catalog.>=) 1 AND level OPERATOR(pg_catalog.<=) 8)
);
REVOKE ALL ON TABLE paws_queue.paused_level FROM PUBLIC;
COMMENT ON TABLE paws_queue.paused_level IS 'Levels that nobody serves until they are resumed.';

CREATE FUNCTION paws_queue.paused_level_changed() RETURNS trigger
	LANGUAGE c VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_paused_level_changed';
REVOKE ALL ON FUNCTION paws_queue.paused_level_changed() FROM PUBLIC;
COMMENT ON FUNCTION paws_queue.paused_level_changed() IS 'Tells the workers which levels are paused.';

CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON paws_queue.paused_level
	FOR EACH STATEMENT EXECUTE FUNCTION paws_queue.paused_level_changed();
ALTER TABLE paws_queue.paused_level ENABLE ALWAYS TRIGGER changed;

SELECT pg_catalog.pg_extension_config_dump('paws_queue.policy', 'WHERE NOT shipped');
SELECT pg_catalog.pg_extension_config_dump('paws_queue.tier_policy', 'WHERE NOT shipped');
SELECT pg_catalog.pg_extension_config_dump('paws_queue.operation', '');
SELECT pg_catalog.pg_extension_config_dump('paws_queue.operation_id', '');
SELECT pg_catalog.pg_extension_config_dump('paws_queue.inflight', '');
SELECT pg_catalog.pg_extension_config_dump('paws_queue.paused_level', '');
