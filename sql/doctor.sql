-- doctor: what was installed is found to be in order, and what is changed in the catalogs or in the tables is found. What
-- it says about settings of the server is in a test with a server of its own.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE TEMP VIEW looked_at AS
	SELECT * FROM paws_sync.doctor() WHERE area IN ('objects', 'minimisation', 'status', 'keys', 'housekeeping')
		AND check_name <> 'track_commit_timestamp';
CREATE TEMP VIEW wrong AS SELECT check_name, value, hint FROM looked_at WHERE NOT ok;

-- every check has a name of its own, a value and what is wanted; a hint stands where it is needed; must be none
SELECT area, check_name, count(*) FROM paws_sync.doctor() GROUP BY 1, 2 HAVING count(*) > 1;
SELECT * FROM paws_sync.doctor() WHERE num_nulls(area, check_name, ok, value, wanted) > 0 OR ok <> (hint IS NULL);
SELECT area, check_name FROM paws_sync.doctor() WHERE area <> 'leaks' ORDER BY area COLLATE "C", check_name COLLATE "C";
-- and so does everything of log_posture; must be none
SELECT setting FROM paws_sync.log_posture() EXCEPT SELECT check_name FROM paws_sync.doctor() WHERE area = 'leaks';

-- as installed and used by the tests before this one; must be none
SELECT * FROM wrong;
SELECT check_name, value ~ '^0 of [1-9][0-9]* ' AS some FROM looked_at WHERE value ~ '^0 of ' ORDER BY check_name COLLATE "C";

-- grants: profiles are in order, anything beside them is not
BEGIN;
CREATE ROLE regress_paws_doctor;
CREATE ROLE regress_paws_other;
SELECT paws_sync.grant_profile('regress_paws_doctor', p) FROM unnest('{app,device_gateway,crisis,billing,operator,auditor}'::text[]) p;
SELECT * FROM wrong;
SAVEPOINT granted;
GRANT EXECUTE ON FUNCTION paws_sync.grant_profile(name, text) TO regress_paws_doctor;
GRANT EXECUTE ON FUNCTION paws_sync.push(paws_sync.device, jsonb) TO regress_paws_other WITH GRANT OPTION;
GRANT SELECT ON paws_care.feed TO regress_paws_other;
GRANT SELECT (envelope) ON paws_care.document TO regress_paws_other;
GRANT USAGE ON SCHEMA paws_vault TO regress_paws_other;
GRANT USAGE ON SEQUENCE paws_queue.operation_id TO regress_paws_other;
SELECT * FROM wrong;
ROLLBACK TO granted;
GRANT EXECUTE ON FUNCTION paws_sync.ack(paws_sync.device, paws_sync.cursor) TO PUBLIC;
GRANT SELECT ON paws_sync.policy TO PUBLIC;
GRANT USAGE ON TYPE paws_registry.code_name TO PUBLIC;
SELECT * FROM wrong;
ROLLBACK TO granted;
ALTER DEFAULT PRIVILEGES IN SCHEMA paws_sync GRANT EXECUTE ON FUNCTIONS TO regress_paws_other;
SELECT check_name, hint FROM wrong;
ROLLBACK TO granted;
ALTER FUNCTION paws_sync.stat_lanes() OWNER TO regress_paws_doctor;
SELECT * FROM wrong WHERE check_name ~ '^not owned';
ROLLBACK;

-- functions and triggers
BEGIN;
ALTER FUNCTION paws_sync.ack(paws_sync.device, paws_sync.cursor) RESET search_path;
ALTER FUNCTION paws_sync.status() SET search_path = public, pg_catalog;
ALTER TABLE paws_queue.policy ENABLE TRIGGER changed;
ALTER TABLE paws_queue.tier_policy DISABLE TRIGGER shipped_rows;
SELECT * FROM wrong;
ROLLBACK;
BEGIN;
CREATE FUNCTION pg_temp.spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER spy AFTER INSERT ON paws_care.document FOR EACH ROW EXECUTE FUNCTION pg_temp.spy();
CREATE RULE copy AS ON INSERT TO paws_crisis.branch DO ALSO NOTIFY news;
CREATE POLICY hide ON paws_registry.device USING (false);
SELECT * FROM wrong;
ROLLBACK;

-- the form of what is stored
BEGIN;
ALTER TABLE paws_vault.root_check DROP CONSTRAINT root_check_value_form;
ALTER DOMAIN paws_registry.envelope DROP CONSTRAINT envelope_form;
ALTER DOMAIN paws_registry.code_name DROP CONSTRAINT code_name_form;
ALTER DOMAIN paws_registry.code_name ADD CONSTRAINT code_name_form CHECK (VALUE ~ '^[a-z][a-z0-9_]{0,30}$') NOT VALID;
SELECT * FROM wrong;
UPDATE paws_care.document SET envelope = 'Jane Doe, 1 Main Street' WHERE ctid = (SELECT min(ctid) FROM paws_care.document WHERE envelope IS NOT NULL);
UPDATE paws_crisis.branch SET envelope = '\x' WHERE ctid = (SELECT min(ctid) FROM paws_crisis.branch);
SELECT check_name, substring(value FROM '^\d+') AS number, hint FROM wrong WHERE check_name = 'payloads in clear';
ROLLBACK;
BEGIN;
ALTER TABLE paws_care.feed ADD COLUMN note text, ADD COLUMN address inet;
ALTER TABLE paws_registry.device DROP COLUMN crisis_only;
SELECT * FROM wrong;
ROLLBACK;

-- times
BEGIN;
UPDATE paws_registry.device SET registered_at = registered_at + '1 minute' WHERE device_no = (SELECT min(device_no) FROM paws_registry.device);
UPDATE paws_crisis.feed SET finished_at = finished_at + '1 millisecond'
WHERE (subject_no, position) = (SELECT subject_no, position FROM paws_crisis.feed LIMIT 1);
UPDATE paws_care.document SET changed_at = changed_at + '1 second'
WHERE (subject_no, doc_id) = (SELECT subject_no, doc_id FROM paws_care.document LIMIT 1);
SELECT check_name, substring(value FROM '^\d+') AS number, hint FROM wrong;
ROLLBACK;
-- a minute is what premium may have; nobody knows what tier it was
BEGIN;
UPDATE paws_care.feed SET finished_at = finished_at + '1 minute';
SELECT * FROM wrong;
ROLLBACK;
-- age: a trial has a day, and an hour that times are rounded by
BEGIN;
SELECT subject_no AS no FROM paws_registry.subject WHERE subject OPERATOR(paws_sync.=) paws_sync.subject_for('manifest premium') \gset
SELECT paws_sync.set_entitlement(paws_sync.subject_for('manifest premium'), 'trial');
UPDATE paws_care.feed SET finished_at = date_bin('1 hour', now(), '2000-01-01Z') - '24 hours'::interval WHERE subject_no = :no;
SELECT * FROM wrong;
UPDATE paws_care.feed SET finished_at = finished_at - '3 days'::interval WHERE subject_no = :no;
SELECT check_name, substring(value FROM '^\d+') AS number, hint FROM wrong;
SELECT paws_sync.set_entitlement(paws_sync.subject_for('manifest premium'), 'premium');
SELECT * FROM wrong;
ROLLBACK;

-- a device that is taken for gone while it may still be away
BEGIN;
SELECT paws_sync.set_tier_policy('premium', offline_hours => 87600);
SELECT * FROM wrong;
ROLLBACK;
SELECT * FROM wrong;
