-- health: how the crisis lane is, and its alarms.

CREATE FUNCTION paws_sync.stat_crisis()
	RETURNS TABLE (state text, canary_last double precision, canary_last_at timestamptz, canary_worst double precision,
		canary_p99 double precision, canary_rounds bigint, canary_failed bigint, attempts bigint, acknowledged bigint, refused bigint,
		rolled_back bigint, overdue bigint, success double precision, waiting bigint, stuck bigint, oldest_age interval,
		available_1d double precision, available_30d double precision, objective double precision, since timestamptz)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_stat_crisis';
REVOKE ALL ON FUNCTION paws_sync.stat_crisis() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.stat_crisis() IS
	'Behind the view pg_stat_paws_sync_crisis.';

CREATE FUNCTION paws_sync.stat_crisis_refusals()
	RETURNS TABLE (code text, well_formed boolean, count bigint)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 9
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_stat_crisis_refusals';
REVOKE ALL ON FUNCTION paws_sync.stat_crisis_refusals() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.stat_crisis_refusals() IS
	'Behind the view pg_stat_paws_sync_crisis_refusals.';

CREATE FUNCTION paws_sync.stat_alarms()
	RETURNS TABLE (alarm text, raised boolean, since timestamptz, times bigint, measured bigint, threshold bigint, unit text, hint text)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 11
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_stat_alarms';
REVOKE ALL ON FUNCTION paws_sync.stat_alarms() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.stat_alarms() IS
	'Behind the view pg_stat_paws_sync_alarms.';

CREATE VIEW paws_sync.pg_stat_paws_sync_crisis WITH (security_invoker) AS
	SELECT state, canary_last, canary_last_at, canary_worst, canary_p99, canary_rounds, canary_failed, attempts, acknowledged, refused,
		rolled_back, overdue, success, waiting, stuck, oldest_age, available_1d, available_30d, objective, since
	FROM paws_sync.stat_crisis();
REVOKE ALL ON TABLE paws_sync.pg_stat_paws_sync_crisis FROM PUBLIC;
COMMENT ON VIEW paws_sync.pg_stat_paws_sync_crisis IS 'How the crisis lane is: its canary, what became of operations, what waits, and for how much of the time it was there.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis.state IS 'ok, degraded (an alarm is raised), down (the canary fails), starting, unwatched (no canary), or standby.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis.canary_last IS 'The last canary, in ms from its call to the consumer that waited for it.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis.canary_last_at IS 'When that ended.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis.canary_worst IS 'The longest within the last hour, in ms.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis.canary_p99 IS '99 % of those since the start of the server took at most this long, in ms.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis.canary_rounds IS 'Canaries since the start of the server.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis.canary_failed IS 'Of them, those that were refused, not seen, or seen later than after 200 ms.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis.attempts IS 'Well-formed operations that devices pushed, whatever became of their transactions.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis.acknowledged IS 'Of them, those whose transaction committed.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis.refused IS 'Of them, those that the lane did not take; pg_stat_paws_sync_crisis_refusals tells why.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis.rolled_back IS 'Of them, those that were taken, and then rolled back by their own transaction.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis.overdue IS 'Acknowledged, later than 200 ms after the call.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis.success IS 'Share of attempts that were acknowledged, without those that are under way; NULL without any.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis.waiting IS 'Operations in the lane''s queue, told to devices as pending; NULL if its table is locked.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis.stuck IS 'Of them, those that failed too often.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis.oldest_age IS 'How long the oldest of them waits.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis.available_1d IS 'Share of the last day in which the lane was there, by its canaries; what nobody could measure since the server was down counts as not there. NULL before the first.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis.available_30d IS 'The same of the last 30 days.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis.objective IS 'What both should be.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis.since IS 'When counting of operations began.';

CREATE VIEW paws_sync.pg_stat_paws_sync_crisis_refusals WITH (security_invoker) AS
	SELECT code, well_formed, count FROM paws_sync.stat_crisis_refusals();
REVOKE ALL ON TABLE paws_sync.pg_stat_paws_sync_crisis_refusals FROM PUBLIC;
COMMENT ON VIEW paws_sync.pg_stat_paws_sync_crisis_refusals IS 'Crisis operations that were not taken, by reason.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis_refusals.code IS 'too_large, queue_full, locked, canceled, storage, keys, conflict, read_only, other.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis_refusals.well_formed IS 'False: the mistake was the client''s, and no attempt is counted.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_crisis_refusals.count IS 'Operations.';

CREATE VIEW paws_sync.pg_stat_paws_sync_alarms WITH (security_invoker) AS
	SELECT alarm, raised, since, times, measured, threshold, unit, hint FROM paws_sync.stat_alarms();
REVOKE ALL ON TABLE paws_sync.pg_stat_paws_sync_alarms FROM PUBLIC;
COMMENT ON VIEW paws_sync.pg_stat_paws_sync_alarms IS 'The alarms of the crisis lane; what changes is in the server''s log and notified on channel paws_sync_alarm.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_alarms.alarm IS 'Its name, which never changes.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_alarms.raised IS 'Whether there is a cause, or was one within the last 30 seconds.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_alarms.since IS 'Since when that is so; NULL: since the start of the server.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_alarms.times IS 'How often it was raised since the start of the server.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_alarms.measured IS 'What was seen at the last look.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_alarms.threshold IS 'Beyond which it is raised.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_alarms.unit IS 'Of these two.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_alarms.hint IS 'What to do, if it is raised.';
