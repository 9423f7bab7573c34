-- care: the ordinary lane's documents and what a subject is entitled to.

CREATE SCHEMA paws_care;
COMMENT ON SCHEMA paws_care IS 'Documents, feeds and entitlements of the ordinary lane of paws_sync.';
REVOKE ALL ON SCHEMA paws_care FROM PUBLIC;

CREATE TABLE paws_care.entitlement (
	subject_no bigint PRIMARY KEY,
	tier smallint NOT NULL CHECK (tier OPERATOR(pg_catalog.>=) 1 AND tier OPERATOR(pg_catalog.<=) 4),
	until timestamptz,
	changed_at timestamptz NOT NULL
);
REVOKE ALL ON TABLE paws_care.entitlement FROM PUBLIC;
COMMENT ON TABLE paws_care.entitlement IS 'The tier that each subject is served as, and until when; without a row, or after its end, it is trial.';

-- A subject without a row is remembered as trial, so a row that is added is a change.
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON paws_care.entitlement
	FOR EACH ROW EXECUTE FUNCTION paws_registry.subject_changed();
CREATE TRIGGER emptied AFTER TRUNCATE ON paws_care.entitlement
	FOR EACH STATEMENT EXECUTE FUNCTION paws_registry.subject_changed();
ALTER TABLE paws_care.entitlement ENABLE ALWAYS TRIGGER changed;
ALTER TABLE paws_care.entitlement ENABLE ALWAYS TRIGGER emptied;

SELECT pg_catalog.pg_extension_config_dump('paws_care.entitlement', '');
