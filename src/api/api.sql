-- api: what applications call.

CREATE TYPE paws_sync.cursor;
COMMENT ON TYPE paws_sync.cursor IS 'A device''s place in its subject''s feeds; returned by pull, to be stored by the device.';

CREATE FUNCTION paws_sync.cursor_in(cstring) RETURNS paws_sync.cursor
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_cursor_in';
COMMENT ON FUNCTION paws_sync.cursor_in(cstring) IS 'I/O of type cursor.';

CREATE FUNCTION paws_sync.cursor_out(paws_sync.cursor) RETURNS cstring
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_cursor_out';
COMMENT ON FUNCTION paws_sync.cursor_out(paws_sync.cursor) IS 'I/O of type cursor.';

CREATE FUNCTION paws_sync.cursor_recv(internal) RETURNS paws_sync.cursor
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_cursor_recv';
COMMENT ON FUNCTION paws_sync.cursor_recv(internal) IS 'I/O of type cursor.';

CREATE FUNCTION paws_sync.cursor_send(paws_sync.cursor) RETURNS bytea
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_cursor_send';
COMMENT ON FUNCTION paws_sync.cursor_send(paws_sync.cursor) IS 'I/O of type cursor.';

CREATE TYPE paws_sync.cursor (
	INPUT = paws_sync.cursor_in,
	OUTPUT = paws_sync.cursor_out,
	RECEIVE = paws_sync.cursor_recv,
	SEND = paws_sync.cursor_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = plain
);

CREATE FUNCTION paws_sync.subject_for(user_ref text)
	RETURNS paws_sync.subject
	LANGUAGE c STABLE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_subject_for';
REVOKE ALL ON FUNCTION paws_sync.subject_for(text) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.subject_for(text) IS
	'The subject of an applications own reference to a person: the same reference gives the same subject, and it is stored nowhere.';

CREATE FUNCTION paws_sync.register_device(subject paws_sync.subject, platform text)
	RETURNS paws_sync.device
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_register_device';
REVOKE ALL ON FUNCTION paws_sync.register_device(paws_sync.subject, text) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.register_device(paws_sync.subject, text) IS
	'Registers an installation of a subject and returns its token. Platforms: ios, android, web, desktop, wearable, server. Beyond the tiers number of devices it is served in the crisis lane alone.';

CREATE FUNCTION paws_sync.revoke_device(device paws_sync.device)
	RETURNS boolean
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_revoke_device';
REVOKE ALL ON FUNCTION paws_sync.revoke_device(paws_sync.device) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.revoke_device(paws_sync.device) IS
	'Takes a device out of service: no pull and no ordinary push any more. False if it was revoked before.';

CREATE FUNCTION paws_sync.define_collection(name text, class paws_sync.class, on_conflict text DEFAULT 'server_order',
	sealing text DEFAULT NULL, compressible boolean DEFAULT NULL)
	RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_define_collection';
REVOKE ALL ON FUNCTION paws_sync.define_collection(text, paws_sync.class, text, text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.define_collection(text, paws_sync.class, text, text, boolean) IS
	'Defines a kind of documents: its class, and what a stale change does (server_order: the later one wins; branch: both are kept; append: documents are written once), how payloads are sealed (standard, aes, layered, client; NULL: layered for session, interactive and standard, standard for the rest) and whether they may be compressed before (NULL: only with standard and aes).';

CREATE FUNCTION paws_sync.set_entitlement(subject paws_sync.subject, tier paws_sync.tier, until timestamptz DEFAULT NULL)
	RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_set_entitlement';
REVOKE ALL ON FUNCTION paws_sync.set_entitlement(paws_sync.subject, paws_sync.tier, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.set_entitlement(paws_sync.subject, paws_sync.tier, timestamptz) IS
	'Sets the tier that a subject is served as, until a time or for good.';

CREATE FUNCTION paws_sync.push(device paws_sync.device, operations jsonb)
	RETURNS TABLE (op_id uuid, outcome paws_sync.outcome, revision bigint, level paws_sync.level, retry_after interval,
		code text, receipt paws_sync.outcome, item integer)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_push';
REVOKE ALL ON FUNCTION paws_sync.push(paws_sync.device, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.push(paws_sync.device, jsonb) IS
	'Takes a devices operations: an array of objects with op_id, collection, doc_id, base_revision, payload (base64), and optionally deleted and client_time. One row for each, in order; one bad item never refuses the others.';

CREATE FUNCTION paws_sync.push_many(device paws_sync.device, op_ids uuid[], collections text[], doc_ids uuid[], base_revisions bigint[],
	payloads bytea[], deleted boolean[] DEFAULT NULL)
	RETURNS TABLE (op_id uuid, outcome paws_sync.outcome, revision bigint, level paws_sync.level, retry_after interval,
		code text, receipt paws_sync.outcome, item integer)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1000
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_push_many';
REVOKE ALL ON FUNCTION paws_sync.push_many(paws_sync.device, uuid[], text[], uuid[], bigint[], bytea[], boolean[]) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.push_many(paws_sync.device, uuid[], text[], uuid[], bigint[], bytea[], boolean[]) IS
	'push for many operations: one element for each operation in every array.';

CREATE FUNCTION paws_sync.pull(device paws_sync.device, "cursor" paws_sync.cursor DEFAULT NULL, max_changes integer DEFAULT 500,
	max_bytes integer DEFAULT 1048576)
	RETURNS TABLE ("cursor" paws_sync.cursor, lane text, kind text, collection text, doc_id uuid, revision bigint, deleted boolean,
		payload bytea, op_id uuid, outcome paws_sync.outcome, code text, changed_at timestamptz, retry_after interval)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_pull';
REVOKE ALL ON FUNCTION paws_sync.pull(paws_sync.device, paws_sync.cursor, integer, integer) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.pull(paws_sync.device, paws_sync.cursor, integer, integer) IS
	'What a device has not seen since its cursor, crisis lane first: changes of other devices with their payloads, receipts of its own operations. A reset tells it to begin that lane anew, an unreadable row that a stored envelope does not open. Each row carries the cursor to store once the row is processed. Writes nothing.';

CREATE FUNCTION paws_sync.pull_wait(device paws_sync.device, "cursor" paws_sync.cursor DEFAULT NULL, timeout interval DEFAULT '1 second',
	max_changes integer DEFAULT 500, max_bytes integer DEFAULT 1048576)
	RETURNS TABLE ("cursor" paws_sync.cursor, lane text, kind text, collection text, doc_id uuid, revision bigint, deleted boolean,
		payload bytea, op_id uuid, outcome paws_sync.outcome, code text, changed_at timestamptz, retry_after interval)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_pull_wait';
REVOKE ALL ON FUNCTION paws_sync.pull_wait(paws_sync.device, paws_sync.cursor, interval, integer, integer) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.pull_wait(paws_sync.device, paws_sync.cursor, interval, integer, integer) IS
	'pull that waits until there is something, at most the timeout and paws_sync.max_wait_with_snapshot.';

CREATE FUNCTION paws_sync.receipts(device paws_sync.device, op_ids uuid[])
	RETURNS TABLE (op_id uuid, outcome paws_sync.outcome, revision bigint, code text, finished_at timestamptz)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_receipts';
REVOKE ALL ON FUNCTION paws_sync.receipts(paws_sync.device, uuid[]) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.receipts(paws_sync.device, uuid[]) IS
	'What became of a devices operations; outcome is NULL while one waits. A receipt never changes.';

CREATE FUNCTION paws_sync.ack(device paws_sync.device, "cursor" paws_sync.cursor)
	RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_ack';
REVOKE ALL ON FUNCTION paws_sync.ack(paws_sync.device, paws_sync.cursor) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.ack(paws_sync.device, paws_sync.cursor) IS
	'Notes how far a device has come, so that tombstones it has passed can go.';

CREATE FUNCTION paws_sync.check_subject(subject paws_sync.subject)
	RETURNS paws_sync.subject
	LANGUAGE c STABLE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_check_subject';
REVOKE ALL ON FUNCTION paws_sync.check_subject(paws_sync.subject) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.check_subject(paws_sync.subject) IS
	'Returns its argument if this installation minted it; fails otherwise.';

CREATE FUNCTION paws_sync.devices(subject paws_sync.subject)
	RETURNS TABLE (device paws_sync.device, platform text, registered_at timestamptz, revoked_at timestamptz, crisis_only boolean)
	LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 10
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT d.device, v.name, d.registered_at, d.revoked_at, d.crisis_only
	FROM paws_registry.subject s
	JOIN paws_registry.device d ON d.subject_no = s.subject_no
	JOIN paws_sync.vocabulary() v ON v.kind = 'platform' AND v.code = d.platform
	WHERE s.subject OPERATOR(paws_sync.=) paws_sync.check_subject($1)
	ORDER BY d.device_no
$$;
REVOKE ALL ON FUNCTION paws_sync.devices(paws_sync.subject) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.devices(paws_sync.subject) IS
	'The devices of a subject.';

CREATE FUNCTION paws_sync.sync_status(subject paws_sync.subject)
	RETURNS TABLE (device paws_sync.device, platform text, registered_at timestamptz, revoked_at timestamptz,
		acknowledged_at timestamptz, behind bigint)
	LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 10
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT d.device, v.name, d.registered_at, d.revoked_at, greatest(a.acknowledged_at, c.acknowledged_at),
		n.position - coalesce(a.position, 0) + m.position - coalesce(c.position, 0)
	FROM paws_registry.subject s
	JOIN paws_registry.device d ON d.subject_no = s.subject_no
	JOIN paws_sync.vocabulary() v ON v.kind = 'platform' AND v.code = d.platform
	JOIN paws_care.counter n ON n.subject_no = s.subject_no
	JOIN paws_crisis.counter m ON m.subject_no = s.subject_no
	LEFT JOIN paws_care.acknowledged a ON a.device_no = d.device_no
	LEFT JOIN paws_crisis.acknowledged c ON c.device_no = d.device_no
	WHERE s.subject OPERATOR(paws_sync.=) paws_sync.check_subject($1)
	ORDER BY d.device_no
$$;
REVOKE ALL ON FUNCTION paws_sync.sync_status(paws_sync.subject) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.sync_status(paws_sync.subject) IS
	'How far each device of a subject has come: when it last acknowledged, and by how many entries of the feeds it is behind.';

CREATE VIEW paws_sync.collections WITH (security_barrier) AS
	SELECT c.name::text AS name, (enum_range(NULL::paws_sync.class))[c.class] AS class,
		v.name AS on_conflict, s.name AS sealing, c.compressible, c.defined_at
	FROM paws_registry.collection c
	JOIN paws_sync.vocabulary() v ON v.kind = 'conflict_policy' AND v.code = c.on_conflict
	JOIN paws_sync.vocabulary() s ON s.kind = 'sealing' AND s.code = c.sealing;
REVOKE ALL ON TABLE paws_sync.collections FROM PUBLIC;
COMMENT ON VIEW paws_sync.collections IS 'The kinds of documents that are defined.';
COMMENT ON COLUMN paws_sync.collections.name IS 'As define_collection was given it.';
COMMENT ON COLUMN paws_sync.collections.class IS 'What its operations are for; with the tier it decides level and target.';
COMMENT ON COLUMN paws_sync.collections.on_conflict IS 'What a change with a stale base revision does.';
COMMENT ON COLUMN paws_sync.collections.sealing IS 'How payloads are sealed; those of crisis classes to the subject''s public key, whatever stands here.';
COMMENT ON COLUMN paws_sync.collections.compressible IS 'Payloads are compressed before they are sealed, as the tier says.';
COMMENT ON COLUMN paws_sync.collections.defined_at IS 'When it was first defined.';

CREATE FUNCTION paws_sync.pause_level(level paws_sync.level)
	RETURNS boolean
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_sync_pause_level';
REVOKE ALL ON FUNCTION paws_sync.pause_level(paws_sync.level) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.pause_level(paws_sync.level) IS
	'From the commit on nothing of the level is served until it is resumed; what is pushed waits. False if it was paused already.';

CREATE FUNCTION paws_sync.resume_level(level paws_sync.level)
	RETURNS boolean
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_sync_resume_level';
REVOKE ALL ON FUNCTION paws_sync.resume_level(paws_sync.level) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.resume_level(paws_sync.level) IS
	'Ends a pause of the level with the commit. False if it was not paused.';
