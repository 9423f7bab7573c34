-- api: the functions of the crisis lane alone, and the resources that operators keep for it.

CREATE FUNCTION paws_sync.push_crisis(device paws_sync.device, operations jsonb)
	RETURNS TABLE (op_id uuid, outcome paws_sync.outcome, revision bigint, level paws_sync.level, retry_after interval,
		code text, receipt paws_sync.outcome, item integer)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_push_crisis';
REVOKE ALL ON FUNCTION paws_sync.push_crisis(paws_sync.device, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.push_crisis(paws_sync.device, jsonb) IS
	'push for collections of the crisis lane alone: applied in the callers own transaction, without a look at anything ordinary. Needs no keys.';

CREATE FUNCTION paws_sync.pull_crisis(device paws_sync.device, "cursor" paws_sync.cursor DEFAULT NULL, max_changes integer DEFAULT 500,
	max_bytes integer DEFAULT 1048576)
	RETURNS TABLE ("cursor" paws_sync.cursor, lane text, kind text, collection text, doc_id uuid, revision bigint, deleted boolean,
		payload bytea, op_id uuid, outcome paws_sync.outcome, code text, changed_at timestamptz, retry_after interval)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_pull_crisis';
REVOKE ALL ON FUNCTION paws_sync.pull_crisis(paws_sync.device, paws_sync.cursor, integer, integer) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.pull_crisis(paws_sync.device, paws_sync.cursor, integer, integer) IS
	'pull of the crisis lane alone; a cursor of pull does as well, and keeps its place in the ordinary lane. Without keys payloads come sealed. Writes nothing.';

CREATE FUNCTION paws_sync.pull_crisis_wait(device paws_sync.device, "cursor" paws_sync.cursor DEFAULT NULL,
	timeout interval DEFAULT '1 second', max_changes integer DEFAULT 500, max_bytes integer DEFAULT 1048576)
	RETURNS TABLE ("cursor" paws_sync.cursor, lane text, kind text, collection text, doc_id uuid, revision bigint, deleted boolean,
		payload bytea, op_id uuid, outcome paws_sync.outcome, code text, changed_at timestamptz, retry_after interval)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_pull_crisis_wait';
REVOKE ALL ON FUNCTION paws_sync.pull_crisis_wait(paws_sync.device, paws_sync.cursor, interval, integer, integer) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.pull_crisis_wait(paws_sync.device, paws_sync.cursor, interval, integer, integer) IS
	'pull_crisis that waits until there is something, at most the timeout and paws_sync.max_wait_with_snapshot.';

CREATE FUNCTION paws_sync.crisis_bundle(device paws_sync.device, region text DEFAULT NULL)
	RETURNS TABLE (kind text, region text, name text, channel text, contact text, priority integer, collection text, doc_id uuid,
		revision bigint, payload bytea, code text, changed_at timestamptz)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 20
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_crisis_bundle';
REVOKE ALL ON FUNCTION paws_sync.crisis_bundle(paws_sync.device, text) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.crisis_bundle(paws_sync.device, text) IS
	'What a device shows in a crisis, in one read: hotlines for a region, 988 always among them, and the subjects safety plans and other crisis documents. Needs no keys, writes nothing.';

CREATE FUNCTION paws_sync.verify_crisis_audit()
	RETURNS TABLE (rows bigint, keyed bigint, late bigint, unkeyed bigint, wrong bigint, doubled bigint, missing bigint, not_written bigint)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_verify_crisis_audit';
REVOKE ALL ON FUNCTION paws_sync.verify_crisis_audit() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.verify_crisis_audit() IS
	'Reads all audit rows of the crisis lane and counts those with a good MAC, a late one or none, and what is wrong, doubled, missing or could not be written.';

CREATE FUNCTION paws_sync.list_resources()
	RETURNS TABLE (region text, name text, channel text, contact text, shipped boolean, shown boolean, fixed boolean)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 50
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_list_resources';
REVOKE ALL ON FUNCTION paws_sync.list_resources() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.list_resources() IS
	'Behind the view resources.';

CREATE VIEW paws_sync.resources WITH (security_invoker) AS
	SELECT region, name, channel, contact, shipped, shown, fixed
	FROM paws_sync.list_resources();
REVOKE ALL ON TABLE paws_sync.resources FROM PUBLIC;
COMMENT ON VIEW paws_sync.resources IS 'The crisis resources that devices are told. What ships is for an operator to review.';
COMMENT ON COLUMN paws_sync.resources.region IS 'A country, a part of one, or eu.';
COMMENT ON COLUMN paws_sync.resources.name IS 'Name of the line; apps translate it.';
COMMENT ON COLUMN paws_sync.resources.channel IS 'call, text, chat or web.';
COMMENT ON COLUMN paws_sync.resources.contact IS 'A number to dial, or an address.';
COMMENT ON COLUMN paws_sync.resources.shipped IS 'False where an operator set the contact.';
COMMENT ON COLUMN paws_sync.resources.shown IS 'False where an operator took the line out.';
COMMENT ON COLUMN paws_sync.resources.fixed IS 'Told to everybody, and not to be changed: 988.';

CREATE FUNCTION paws_sync.set_resource(region text, name text, channel text, contact text)
	RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	channel_code smallint := (SELECT v.code FROM paws_sync.vocabulary() v WHERE v.kind = 'channel' AND v.name = $3);
	broken text;
BEGIN
	IF num_nulls($1, $2, $3, $4) > 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'region, name, channel and contact must not be null';
	END IF;
	IF channel_code IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'unknown channel', HINT = 'Use call, text, chat or web.';
	END IF;
	IF EXISTS (SELECT FROM paws_sync.list_resources() l WHERE l.fixed AND l.region = $1 AND l.name = $2 AND l.channel = $3) THEN
		RAISE EXCEPTION USING ERRCODE = 'PW005', MESSAGE = 'this resource cannot be changed',
			HINT = 'The lines of 988 are told to everybody as they ship; set one with another name beside them.';
	END IF;
	INSERT INTO paws_crisis.resource AS r (region, name, channel, contact) VALUES ($1, $2, channel_code, $4)
	ON CONFLICT ON CONSTRAINT resource_pkey DO UPDATE SET contact = EXCLUDED.contact, set_at = EXCLUDED.set_at;
EXCEPTION WHEN check_violation THEN
	GET STACKED DIAGNOSTICS broken = CONSTRAINT_NAME;
	RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'resource is not well-formed',
		HINT = CASE broken
			WHEN 'region_form' THEN 'A region is a country in two lower-case letters, or a part of one such as us_ny.'
			WHEN 'code_name_form' THEN 'A name starts with a lower-case letter, has letters, digits and underscores, and is at most 31 characters long.'
			ELSE 'Channels call and text take 3 to 20 digits, chat and web an address in lower case that begins with https:// and has at most 200 characters.' END;
END
$$;
REVOKE ALL ON FUNCTION paws_sync.set_resource(text, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.set_resource(text, text, text, text) IS
	'Sets a crisis resource of a region: a public line, told to devices by crisis_bundle. Wins over one that ships.';

CREATE FUNCTION paws_sync.drop_resource(region text, name text, channel text)
	RETURNS boolean
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	channel_code smallint := (SELECT v.code FROM paws_sync.vocabulary() v WHERE v.kind = 'channel' AND v.name = $3);
	known record;
BEGIN
	IF num_nulls($1, $2, $3) > 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'region, name and channel must not be null';
	END IF;
	SELECT l.shown, l.fixed INTO known FROM paws_sync.list_resources() l
	WHERE l.region = $1 AND l.name = $2 AND l.channel = $3;
	IF known.fixed THEN
		RAISE EXCEPTION USING ERRCODE = 'PW005', MESSAGE = 'this resource cannot be dropped',
			HINT = 'The lines of 988 are told to everybody.';
	END IF;
	IF known.shown IS NOT TRUE THEN
		RETURN false;
	END IF;
	DELETE FROM paws_crisis.resource r WHERE r.region = $1 AND r.name = $2 AND r.channel = channel_code;
	-- below it a line may ship, which only a row keeps out
	IF EXISTS (SELECT FROM paws_sync.list_resources() l
		WHERE l.shown AND l.region = $1 AND l.name = $2 AND l.channel = $3) THEN
		INSERT INTO paws_crisis.resource AS r (region, name, channel, contact) VALUES ($1, $2, channel_code, NULL)
		ON CONFLICT ON CONSTRAINT resource_pkey DO UPDATE SET contact = NULL, set_at = EXCLUDED.set_at;
	END IF;
	RETURN true;
END
$$;
REVOKE ALL ON FUNCTION paws_sync.drop_resource(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.drop_resource(text, text, text) IS
	'Takes a crisis resource out, one that ships too; set_resource brings it back. False if it was not shown.';
