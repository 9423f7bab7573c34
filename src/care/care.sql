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

SELECT pg_catalog.pg_extension_config_dump('paws_care.entitlement', '');
