-- keys: rotation, erasure, and what there is of keys.

CREATE FUNCTION paws_sync.rotate_keys(what text DEFAULT 'epochs')
	RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_rotate_keys';
REVOKE ALL ON FUNCTION paws_sync.rotate_keys(text) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.rotate_keys(text) IS
	'Asks for new keys, which the scheduler brings about while everything goes on: epochs (new ones, all data keys wrapped anew, the old ones destroyed), data_keys (new ones for every subject, all documents sealed anew) or roots (the keyring wrapped under the current ids of the roots). Returns the number of the job in pg_stat_progress_paws_sync_keys.';

CREATE FUNCTION paws_sync.adopt_keys()
	RETURNS integer
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_adopt_keys';
REVOKE ALL ON FUNCTION paws_sync.adopt_keys() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.adopt_keys() IS
	'After a move: makes this database the owner of the key epochs of the database that it was restored or copied from, so that its next rotation destroys them. Only when that one is gone for good and no other copy of it is in use: what is wrapped under destroyed epochs opens nowhere. Returns how many it took; at once, whatever becomes of the transaction.';

CREATE FUNCTION paws_sync.forget(subject paws_sync.subject)
	RETURNS TABLE (erasure uuid, state text, keys integer, logical_at timestamptz, destroyed_at timestamptz,
		irrecoverable_at timestamptz, certificate text)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_forget';
REVOKE ALL ON FUNCTION paws_sync.forget(paws_sync.subject) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.forget(paws_sync.subject) IS
	'Forgets a person: keys and devices are gone at this commit (logical), rows soon after; then the epochs are destroyed that backups of the keys are wrapped under, and when the last backup of the keyring with them is gone (irrecoverable) a signed certificate says so. Asked again, it answers how far it has come.';

CREATE FUNCTION paws_sync.erasure_status(subject paws_sync.subject)
	RETURNS TABLE (erasure uuid, state text, keys integer, logical_at timestamptz, destroyed_at timestamptz,
		irrecoverable_at timestamptz, certificate text)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_erasure_status';
REVOKE ALL ON FUNCTION paws_sync.erasure_status(paws_sync.subject) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.erasure_status(paws_sync.subject) IS
	'How far the last erasure of a subject has come; no row if there is none. Writes nothing.';

CREATE FUNCTION paws_sync.verify_certificate(certificate text)
	RETURNS boolean
	LANGUAGE c STABLE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_verify_certificate';
REVOKE ALL ON FUNCTION paws_sync.verify_certificate(text) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.verify_certificate(text) IS
	'True if this is a certificate of an erasure that this installation signed, unchanged.';

CREATE FUNCTION paws_sync.certificate_key()
	RETURNS bytea
	LANGUAGE c STABLE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_certificate_key';
REVOKE ALL ON FUNCTION paws_sync.certificate_key() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.certificate_key() IS
	'The Ed25519 public key that verifies certificates, 32 bytes; NULL without keys.';

CREATE VIEW paws_sync.pg_stat_progress_paws_sync_keys WITH (security_barrier) AS
	SELECT job_id AS job, ('{epochs,data_keys,roots}'::text[])[kind] AS kind,
		('{requested,rewrapping,settling_writers,rewrapping_rest,settling_readers,destroying,making_keys,resealing,deleting_keys,finished,making_epochs,settling_queue}'::text[])[phase]
			AS phase,
		done, total, left_over, requested_at, started_at, finished_at
	FROM paws_vault.key_job;
REVOKE ALL ON TABLE paws_sync.pg_stat_progress_paws_sync_keys FROM PUBLIC;
COMMENT ON VIEW paws_sync.pg_stat_progress_paws_sync_keys IS 'Rotations of keys: those that are under way, and the finished ones.';
COMMENT ON COLUMN paws_sync.pg_stat_progress_paws_sync_keys.job IS 'Number of the job, as rotate_keys returned it.';
COMMENT ON COLUMN paws_sync.pg_stat_progress_paws_sync_keys.kind IS 'What rotates: epochs, data_keys or roots.';
COMMENT ON COLUMN paws_sync.pg_stat_progress_paws_sync_keys.phase IS 'What is being done; settling waits for transactions and snapshots from before.';
COMMENT ON COLUMN paws_sync.pg_stat_progress_paws_sync_keys.done IS 'Keys wrapped anew, subjects whose documents are sealed anew, or entries of the keyring.';
COMMENT ON COLUMN paws_sync.pg_stat_progress_paws_sync_keys.total IS 'How many there were to do at the start.';
COMMENT ON COLUMN paws_sync.pg_stat_progress_paws_sync_keys.left_over IS 'What could not be done: it does not open, or is still in use.';
COMMENT ON COLUMN paws_sync.pg_stat_progress_paws_sync_keys.requested_at IS 'When it was asked for.';
COMMENT ON COLUMN paws_sync.pg_stat_progress_paws_sync_keys.started_at IS 'When the first slice of it was done.';
COMMENT ON COLUMN paws_sync.pg_stat_progress_paws_sync_keys.finished_at IS 'When it was done.';

CREATE FUNCTION paws_sync.key_status()
	RETURNS TABLE (kind text, root text, number integer, state text, keys bigint, since timestamptz)
	LANGUAGE sql VOLATILE PARALLEL UNSAFE ROWS 20
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$
	WITH stored AS (
		SELECT 'care' AS root, d.kek_epoch, count(*) AS keys FROM paws_vault.data_key d GROUP BY d.kek_epoch
		UNION ALL
		SELECT 'crisis', s.kek_epoch, count(*) FROM paws_crisis.subject_key s GROUP BY s.kek_epoch
	), ring AS (
		SELECT k.kind, k.root, k.number, k.own, k.open, k.made_at,
			k.number = max(k.number) FILTER (WHERE k.kind = 'epoch' AND k.own) OVER (PARTITION BY k.root) AS newest
		FROM paws_sync.keyring() k
	)
	SELECT coalesce(r.kind, 'epoch'), coalesce(r.root, s.root), coalesce(r.number, s.kek_epoch),
		CASE WHEN r.kind IS NULL THEN 'missing'
			WHEN r.kind = 'destroyed' THEN 'destroyed'
			WHEN NOT r.open THEN 'closed'
			WHEN r.kind = 'base' THEN 'open'
			WHEN NOT r.own THEN 'foreign'
			WHEN r.newest THEN 'current'
			ELSE 'old' END,
		CASE WHEN r.kind IS DISTINCT FROM 'base' THEN coalesce(s.keys, 0) END, r.made_at
	FROM ring r
	FULL JOIN stored s ON r.root = s.root AND r.number = s.kek_epoch AND r.kind <> 'base'
	ORDER BY 2, 1, 3
$$;
REVOKE ALL ON FUNCTION paws_sync.key_status() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.key_status() IS
	'The keys of this installation: base secrets and epochs in the keyring, with how many data keys of this database each epoch wraps. state: current, old, foreign (of another database), closed (does not open under the roots), missing (not in the keyring), destroyed.';
