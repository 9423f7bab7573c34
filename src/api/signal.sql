-- api: crisis signals, and what responders see of them.

CREATE FUNCTION paws_sync.raise_crisis(subject paws_sync.subject, source paws_sync.source, severity paws_sync.severity)
	RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_raise_crisis';
REVOKE ALL ON FUNCTION paws_sync.raise_crisis(paws_sync.subject, paws_sync.source, paws_sync.severity) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.raise_crisis(paws_sync.subject, paws_sync.source, paws_sync.severity) IS
	'A person is in a crisis: tells their devices and responders, in the caller''s own transaction. While a signal of the same source is open it is that one, as severe as it ever was. Needs no keys for a known subject.';

CREATE FUNCTION paws_sync.resolve_crisis(signal uuid)
	RETURNS boolean
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_resolve_crisis';
REVOKE ALL ON FUNCTION paws_sync.resolve_crisis(uuid) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.resolve_crisis(uuid) IS
	'Ends a crisis signal; items of it that nobody claimed are cancelled. False if it is unknown or has ended.';

-- Codes, times and random ids: whom a signal is about is told to whoever claims its item.
CREATE VIEW paws_sync.crisis_signals WITH (security_barrier) AS
	SELECT s.signal_id AS signal, (enum_range(NULL::paws_sync.source))[s.source] AS source,
		(enum_range(NULL::paws_sync.severity))[s.severity] AS severity, s.raised_at, s.expires_at,
		EXISTS (SELECT FROM paws_crisis.item i WHERE i.signal_id = s.signal_id AND i.state = 2
			AND i.claimed_until > clock_timestamp()) AS claimed,
		EXISTS (SELECT FROM paws_crisis.item i WHERE i.signal_id = s.signal_id AND i.state = 2
			AND i.escalated_at IS NOT NULL) AS escalated
	FROM paws_crisis.signal s WHERE s.state = 1 AND s.expires_at > clock_timestamp();
REVOKE ALL ON TABLE paws_sync.crisis_signals FROM PUBLIC;
COMMENT ON VIEW paws_sync.crisis_signals IS 'Open crisis signals, without whom they are about.';
COMMENT ON COLUMN paws_sync.crisis_signals.signal IS 'For resolve_crisis.';
COMMENT ON COLUMN paws_sync.crisis_signals.source IS 'What raised it.';
COMMENT ON COLUMN paws_sync.crisis_signals.severity IS 'The highest that it was raised with.';
COMMENT ON COLUMN paws_sync.crisis_signals.raised_at IS 'When it was raised first, to the second.';
COMMENT ON COLUMN paws_sync.crisis_signals.expires_at IS 'When it ends unless somebody resolves it; each time that it is raised again it is put off.';
COMMENT ON COLUMN paws_sync.crisis_signals.claimed IS 'A responder has its item now.';
COMMENT ON COLUMN paws_sync.crisis_signals.escalated IS 'An item of it that is not completed was not claimed in time, or failed again and again.';

CREATE VIEW paws_sync.crisis_items WITH (security_barrier) AS
	SELECT i.id AS job, i.signal_id AS signal, i.topic::text AS topic, (enum_range(NULL::paws_sync.class))[i.class] AS class,
		i.level::integer::paws_sync.level AS level,
		CASE WHEN i.claimed_until > clock_timestamp() THEN 'running' WHEN i.available_at > clock_timestamp() THEN 'scheduled'
			ELSE 'available' END::paws_sync.job_state AS state,
		i.attempts::integer AS attempts, (enum_range(NULL::paws_sync.job_reason))[nullif(i.reason, 0)] AS reason,
		i.submitted_at, i.deadline, i.claimed_until, i.escalated_at
	FROM paws_crisis.item i WHERE i.state = 2;
REVOKE ALL ON TABLE paws_sync.crisis_items FROM PUBLIC;
COMMENT ON VIEW paws_sync.crisis_items IS 'Work for responders that waits or runs, without what is in it and whom it is about.';
COMMENT ON COLUMN paws_sync.crisis_items.job IS 'Its number, which is negative.';
COMMENT ON COLUMN paws_sync.crisis_items.signal IS 'The crisis signal that it is about; NULL: it was submitted.';
COMMENT ON COLUMN paws_sync.crisis_items.topic IS 'crisis_response for signals.';
COMMENT ON COLUMN paws_sync.crisis_items.class IS 'emergency or safety.';
COMMENT ON COLUMN paws_sync.crisis_items.level IS '10 or 9; 10 once it is escalated.';
COMMENT ON COLUMN paws_sync.crisis_items.state IS 'available, running or scheduled.';
COMMENT ON COLUMN paws_sync.crisis_items.attempts IS 'Attempts that failed, or whose claim ran out.';
COMMENT ON COLUMN paws_sync.crisis_items.reason IS 'Why the last one failed.';
COMMENT ON COLUMN paws_sync.crisis_items.submitted_at IS 'To the second, as all times here.';
COMMENT ON COLUMN paws_sync.crisis_items.deadline IS 'If nobody has claimed it by then it is escalated.';
COMMENT ON COLUMN paws_sync.crisis_items.claimed_until IS 'The end of the last claim, which may be over.';
COMMENT ON COLUMN paws_sync.crisis_items.escalated_at IS 'When the log and the channel paws_sync_alarm were told of it.';
