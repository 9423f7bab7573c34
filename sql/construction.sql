-- By construction: there is no place in the metadata to put a name in. Every column of every relation, every index, view,
-- function, domain, enum, sequence and default of the extension is walked over, and whatever has an open type stands in a
-- list here, with the reason. Each query with "must be none" shows what breaks its rule.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE TEMP VIEW member AS
	SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'paws_sync';
CREATE TEMP VIEW member_relation AS
	SELECT c.oid, c.oid::regclass::text AS relation, c.relkind
	FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid;
CREATE TEMP VIEW member_function AS
	SELECT p.* FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid;
CREATE TEMP VIEW type_support AS
	SELECT unnest(ARRAY[typinput, typoutput, typreceive, typsend, typmodin, typmodout, typanalyze]::oid[]) AS oid
	FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
	UNION SELECT oprcode FROM pg_operator o JOIN member m ON m.classid = 'pg_operator'::regclass AND m.objid = o.oid
	UNION SELECT amproc FROM pg_amproc a JOIN member m ON m.classid = 'pg_opfamily'::regclass AND m.objid = a.amprocfamily
	UNION SELECT castfunc FROM pg_cast c JOIN member m ON m.classid = 'pg_cast'::regclass AND m.objid = c.oid;

-- Closed types: numbers, flags, times, UUIDs, what the extension makes itself, and arrays of them. A UUID is made up by a
-- device for its documents and operations: 16 bytes, which no length or form could close further.
CREATE TEMP TABLE closed AS
	SELECT unnest('{bigint,integer,smallint,boolean,timestamptz,interval,double precision,uuid,void}'::regtype[])::oid AS type
	UNION SELECT t.oid FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid WHERE t.typtype IN ('b', 'e', 'd');
INSERT INTO closed SELECT typarray FROM pg_type JOIN closed ON oid = type WHERE typarray <> 0;

-- which of our own are closed is not a matter of trust. A domain has a validated check and lets none of these in:
SELECT typname, format_type(typbasetype, NULL) AS base, array_agg(pg_get_constraintdef(c.oid)) AS checks
FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
LEFT JOIN pg_constraint c ON c.contypid = t.oid AND c.convalidated
WHERE t.typtype = 'd' GROUP BY t.typname, t.typbasetype ORDER BY t.typname COLLATE "C";
CREATE FUNCTION pg_temp.takes(type regtype, value text) RETURNS boolean LANGUAGE plpgsql AS
$$
BEGIN
	EXECUTE format('SELECT %L::%s', value, type);
	RETURN true;
EXCEPTION WHEN check_violation OR invalid_text_representation OR not_null_violation THEN
	RETURN false;
END
$$;
CREATE TEMP TABLE hostile AS
	SELECT v AS value FROM unnest(ARRAY['', ' ', 'Jane Doe', 'jane.doe@example.org', '+1 555 0100', '078-05-1120', 'Jane', 'jané', '李娜', E'mood\n', E'mood\nJane',
		E'm\u200bood', 'mood''--', '1mood', '_mood', repeat('a', 32), repeat('a', 1000000), 'I feel low since Tuesday.',
		'\x', '\x5057', '\x505701', '\x5057010000000000000000000000000000', '\x4a616e6520446f65', '\x' || repeat('4a', 15), '\x' || repeat('4a', 17), '\x' || repeat('4a', 200),
		'\x505702' || repeat('00', 200), '\x505701' || repeat('00', 100)]) AS v;
SELECT t.oid::regtype AS type, left(h.value, 60) AS takes
FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid, hostile h
WHERE t.typtype IN ('d', 'e', 'b') AND pg_temp.takes(t.oid, h.value);
-- and takes what it is for
SELECT pg_temp.takes('paws_registry.code_name', 'mood_2') AS name, pg_temp.takes('paws_registry.code_name', repeat('a', 31)) AS longest,
	pg_temp.takes('paws_registry.seal', '\x' || repeat('4a', 16)) AS seal, pg_temp.takes('paws_registry.envelope', '\x505701' || repeat('00', 101)) AS envelope;

-- labels of enums are words of ours, and those of the vocabulary in their order; must be none
SELECT t.typname, e.enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid
JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
LEFT JOIN paws_sync.vocabulary() v ON v.kind = t.typname AND v.name = e.enumlabel AND v.code = e.enumsortorder
WHERE v.code IS NULL OR e.enumlabel !~ '^[a-z][a-z0-9_]{0,30}$';
SELECT kind, name FROM paws_sync.vocabulary() WHERE name !~ '^[a-z][a-z0-9_]{0,30}$' OR kind !~ '^[a-z][a-z0-9_]{0,30}$' OR code NOT BETWEEN 1 AND 99;

-- Everything with a type that is not closed: columns of tables, indexes and views, arguments and results of functions,
-- operands, elements of sequences.
CREATE TEMP VIEW open_use AS
	WITH uses (object, part, name, type) AS (
		SELECT r.relation, CASE r.relkind WHEN 'v' THEN 'view' ELSE 'stored' END, a.attname::text, a.atttypid
		FROM member_relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE r.relkind <> 'S'
		UNION ALL
		-- an index on bytes or text as they are, or of what an expression makes of them
		SELECT i.indexrelid::regclass::text, 'index', a.attname::text,
			coalesce((SELECT c.atttypid FROM pg_attribute c WHERE c.attrelid = i.indrelid AND c.attnum = i.indkey[a.attnum - 1] AND c.attnum > 0), a.atttypid)
		FROM pg_index i JOIN member_relation r ON r.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum > 0
		UNION ALL
		SELECT f.oid::regprocedure::text, CASE WHEN coalesce(f.proargmodes[a.n], 'i') IN ('i', 'v', 'b') THEN 'argument' ELSE 'result' END,
			coalesce(f.proargnames[a.n], a.n::text), a.type
		FROM member_function f, unnest(coalesce(f.proallargtypes, f.proargtypes::oid[])) WITH ORDINALITY AS a (type, n)
		WHERE f.oid NOT IN (SELECT oid FROM type_support)
		UNION ALL
		SELECT f.oid::regprocedure::text, 'result', '', f.prorettype FROM member_function f
		WHERE f.oid NOT IN (SELECT oid FROM type_support) AND NOT (f.prorettype = 'record'::regtype AND f.proallargtypes IS NOT NULL)
		UNION ALL
		SELECT o.oid::regoperator::text, 'operand', n::text, t FROM pg_operator o
		JOIN member m ON m.classid = 'pg_operator'::regclass AND m.objid = o.oid,
		unnest(ARRAY[o.oprleft, o.oprright, o.oprresult]) WITH ORDINALITY AS u (t, n)
		UNION ALL
		SELECT r.relation, 'sequence', '', s.seqtypid FROM pg_sequence s JOIN member_relation r ON r.oid = s.seqrelid)
	SELECT object, part, name, format_type(type, NULL) AS type FROM uses WHERE type NOT IN (SELECT type FROM closed);

-- What may be open, and why. Where a result is of a closed vocabulary, it is named: what is returned below is compared.
-- The server's own texts (settings, names of roles and databases, states in words) are no data of people.
CREATE TEMP TABLE allowed (object text, part text, name text, type text, vocabulary text, reason text);
INSERT INTO allowed VALUES
	('paws_vault.data_key', 'stored', 'wrapped', 'bytea', NULL, 'a wrapped key, of one length'),
	('paws_crisis.subject_key', 'stored', 'wrapped', 'bytea', NULL, 'a wrapped key, of one length'),
	('paws_crisis.subject_key', 'stored', 'public_key', 'bytea', NULL, 'a public key, of one length'),
	('paws_vault.root_check', 'stored', 'value', 'bytea', NULL, 'a keyed hash, of one length'),
	('paws_crisis.root_check', 'stored', 'value', 'bytea', NULL, 'a keyed hash, of one length'),
	('paws_crisis.audit', 'stored', 'before', 'bytea', NULL, 'a salted hash, of one length'),
	('paws_crisis.audit', 'stored', 'after', 'bytea', NULL, 'a salted hash, of one length'),
	('paws_crisis.audit', 'stored', 'mac', 'bytea', NULL, 'a keyed hash, of one length'),
	('paws_registry.subject', 'stored', 'salt', 'bytea', NULL, 'random, of one length'),
	('paws_vault.erasure', 'stored', 'signature', 'bytea', NULL, 'a signature, of one length'),
	('paws_sync.collections', 'view', 'name', 'text', 'name', 'a code_name'),
	('paws_sync.crisis_items', 'view', 'topic', 'text', 'topic', 'a code_name'),
	('paws_sync.collections', 'view', 'on_conflict', 'text', 'conflict_policy', 'a word for a code'),
	('paws_sync.collections', 'view', 'sealing', 'text', 'sealing', 'a word for a code'),
	('paws_sync.tier_policy', 'view', 'compression', 'text', 'compression', 'a word for a code'),
	('paws_sync.pg_stat_progress_paws_sync_keys', 'view', 'kind', 'text', 'key_job', 'a word for a code'),
	('paws_sync.pg_stat_progress_paws_sync_keys', 'view', 'phase', 'text', 'key_phase', 'a word for a code'),
	('paws_sync.pg_stat_paws_sync_lanes', 'view', 'lane', 'text', 'lane', 'a word for a code'),
	('paws_sync.pg_stat_paws_sync_reserve', 'view', 'resource', 'text', 'resource', 'a constant'),
	('paws_sync.pg_stat_paws_sync_reserve', 'view', 'unit', 'text', 'unit', 'a constant'),
	('paws_sync.stat_reserve()', 'result', 'resource', 'text', 'resource', 'a constant'),
	('paws_sync.stat_reserve()', 'result', 'unit', 'text', 'unit', 'a constant'),
	('paws_sync.pg_stat_paws_sync_crisis', 'view', 'state', 'text', 'lane_state', 'a constant'),
	('paws_sync.stat_crisis()', 'result', 'state', 'text', 'lane_state', 'a constant'),
	('paws_sync.pg_stat_paws_sync_crisis_refusals', 'view', 'code', 'text', 'refusal', 'a constant'),
	('paws_sync.stat_crisis_refusals()', 'result', 'code', 'text', 'refusal', 'a constant'),
	('paws_sync.pg_stat_paws_sync_alarms', 'view', 'alarm', 'text', 'alarm', 'a constant'),
	('paws_sync.pg_stat_paws_sync_alarms', 'view', 'unit', 'text', 'alarm_unit', 'a constant'),
	('paws_sync.pg_stat_paws_sync_alarms', 'view', 'hint', 'text', NULL, 'a constant'),
	('paws_sync.stat_alarms()', 'result', 'alarm', 'text', 'alarm', 'a constant'),
	('paws_sync.stat_alarms()', 'result', 'unit', 'text', 'alarm_unit', 'a constant'),
	('paws_sync.stat_alarms()', 'result', 'hint', 'text', NULL, 'a constant'),
	('paws_sync.pg_stat_paws_sync_workers', 'view', 'kind', 'text', 'worker', 'a word for a code'),
	('paws_sync.pg_stat_paws_sync_workers', 'view', 'database', 'text', NULL, 'a name of the server''s catalogs'),
	('paws_sync.pg_stat_paws_sync_workers', 'view', 'state', 'text', 'state', 'a word for a code'),
	('paws_sync.profiles', 'view', 'profile', 'text', 'profile', 'a constant'),
	('paws_sync.profiles', 'view', 'privilege', 'text', 'privilege', 'a constant'),
	('paws_sync.profiles', 'view', 'kind', 'text', 'object_kind', 'a constant'),
	('paws_sync.profiles', 'view', 'object', 'text', NULL, 'a name of an object of ours'),
	('paws_queue.paused_level_changed()', 'result', '', 'trigger', NULL, 'a trigger'),
	('paws_queue.policy_changed()', 'result', '', 'trigger', NULL, 'a trigger'),
	('paws_registry.subject_changed()', 'result', '', 'trigger', NULL, 'a trigger'),
	('paws_sync.check_profile(name,text)', 'argument', 'role', 'name', NULL, 'looked up in pg_roles'),
	('paws_sync.check_profile(name,text)', 'argument', 'profile', 'text', NULL, 'compared with constants'),
	('paws_sync.grant_profile(name,text)', 'argument', 'role', 'name', NULL, 'looked up in pg_roles; stored as a grant by the server'),
	('paws_sync.grant_profile(name,text)', 'argument', 'profile', 'text', NULL, 'compared with constants'),
	('paws_sync.revoke_profile(name,text)', 'argument', 'role', 'name', NULL, 'looked up in pg_roles'),
	('paws_sync.revoke_profile(name,text)', 'argument', 'profile', 'text', NULL, 'compared with constants'),
	('paws_sync.define_collection(text,paws_sync.class,text,text,boolean)', 'argument', 'name', 'text', NULL, 'stored as a code_name, or refused'),
	('paws_sync.define_collection(text,paws_sync.class,text,text,boolean)', 'argument', 'on_conflict', 'text', NULL, 'stored as a code, or refused'),
	('paws_sync.define_collection(text,paws_sync.class,text,text,boolean)', 'argument', 'sealing', 'text', NULL, 'stored as a code, or refused'),
	('paws_sync.set_tier_policy(paws_sync.tier,integer,integer,bigint,bigint,integer,integer,integer,text,integer,bigint,bigint,paws_sync.feature[])', 'argument', 'compression', 'text', NULL, 'stored as a code, or refused'),
	('paws_sync.rotate_keys(text)', 'argument', 'what', 'text', NULL, 'stored as a code, or refused'),
	('paws_sync.verify_certificate(text)', 'argument', 'certificate', 'text', NULL, 'looked at and stored nowhere'),
	('paws_sync.push_crisis(paws_sync.device,jsonb)', 'argument', 'operations', 'jsonb', NULL, 'payloads are sealed before a row exists; all else is a UUID, a number, a code or refused'),
	('paws_sync.crisis_bundle(paws_sync.device,text)', 'argument', 'region', 'text', NULL, 'compared; what is no region is taken for none'),
	('paws_sync.register_device(paws_sync.subject,text)', 'argument', 'platform', 'text', NULL, 'stored as a code, or refused'),
	('paws_sync.subject_for(text)', 'argument', 'user_ref', 'text', NULL, 'goes through a keyed hash and is stored nowhere'),
	('paws_sync.push(paws_sync.device,jsonb)', 'argument', 'operations', 'jsonb', NULL, 'payloads are sealed before a row exists; all else is a UUID, a number, a code or refused'),
	('paws_sync.push_many(paws_sync.device,uuid[],text[],uuid[],bigint[],bytea[],boolean[])', 'argument', 'collections', 'text[]', NULL, 'looked up; stored as numbers'),
	('paws_sync.push_many(paws_sync.device,uuid[],text[],uuid[],bigint[],bytea[],boolean[])', 'argument', 'payloads', 'bytea[]', NULL, 'sealed before a row exists'),
	('paws_sync.push(paws_sync.device,jsonb)', 'result', 'code', 'text', 'reason', 'a word for a code'),
	('paws_sync.push_many(paws_sync.device,uuid[],text[],uuid[],bigint[],bytea[],boolean[])', 'result', 'code', 'text', 'reason', 'a word for a code'),
	('paws_sync.push_crisis(paws_sync.device,jsonb)', 'result', 'code', 'text', 'reason', 'a word for a code'),
	('paws_sync.crisis_bundle(paws_sync.device,text)', 'result', 'kind', 'text', 'bundle', 'a constant'),
	('paws_sync.crisis_bundle(paws_sync.device,text)', 'result', 'collection', 'text', 'name', 'a code_name'),
	('paws_sync.crisis_bundle(paws_sync.device,text)', 'result', 'payload', 'bytea', NULL, 'opened for the device that may have it'),
	('paws_sync.crisis_bundle(paws_sync.device,text)', 'result', 'code', 'text', 'page_reason', 'a word for a code'),
	('paws_sync.forget(paws_sync.subject)', 'result', 'state', 'text', 'erasure', 'a word for a code'),
	('paws_sync.forget(paws_sync.subject)', 'result', 'certificate', 'text', NULL, 'a token, numbers, times and a signature'),
	('paws_sync.erasure_status(paws_sync.subject)', 'result', 'state', 'text', 'erasure', 'a word for a code'),
	('paws_sync.erasure_status(paws_sync.subject)', 'result', 'certificate', 'text', NULL, 'a token, numbers, times and a signature'),
	('paws_sync.certificate_key()', 'result', '', 'bytea', NULL, 'a public key'),
	('paws_sync.keyring()', 'result', 'kind', 'text', 'keyring', 'a constant'),
	('paws_sync.keyring()', 'result', 'root', 'text', 'root', 'a constant'),
	('paws_sync.key_status()', 'result', 'kind', 'text', 'keyring', 'a constant'),
	('paws_sync.key_status()', 'result', 'root', 'text', 'root', 'a constant'),
	('paws_sync.key_status()', 'result', 'state', 'text', 'key_state', 'a constant'),
	('paws_sync.receipts(paws_sync.device,uuid[])', 'result', 'code', 'text', 'reason', 'a word for a code'),
	('paws_sync.devices(paws_sync.subject)', 'result', 'platform', 'text', 'platform', 'a word for a code'),
	('paws_sync.sync_status(paws_sync.subject)', 'result', 'platform', 'text', 'platform', 'a word for a code'),
	('paws_sync.stat_lanes()', 'result', 'lane', 'text', 'lane', 'a word for a code'),
	('paws_sync.stat_workers()', 'result', 'kind', 'text', 'worker', 'a word for a code'),
	('paws_sync.stat_workers()', 'result', 'database', 'text', NULL, 'a name of the server''s catalogs'),
	('paws_sync.stat_workers()', 'result', 'state', 'text', 'state', 'a word for a code'),
	('paws_sync.manifest()', 'result', 'relation', 'text', NULL, 'a name of an object of ours'),
	('paws_sync.manifest()', 'result', 'column_name', 'text', NULL, 'a name of an object of ours'),
	('paws_sync.manifest()', 'result', 'kind', 'text', 'kind', 'a constant'),
	('paws_sync.manifest()', 'result', 'retention', 'text', 'retention', 'a constant'),
	('paws_sync.status()', 'result', 'component', 'text', 'component', 'a constant'),
	('paws_sync.status()', 'result', 'state', 'text', 'component_state', 'a constant'),
	('paws_sync.status()', 'result', 'detail', 'text', NULL, 'a sentence of ours with counts and names of settings'),
	('paws_sync.vocabulary()', 'result', 'kind', 'text', NULL, 'a constant, of the form looked at above'),
	('paws_sync.vocabulary()', 'result', 'name', 'text', NULL, 'a constant, of the form looked at above');
-- of jobs
INSERT INTO allowed VALUES
	('paws_sync.define_topic(text,integer,interval,interval,interval,integer,interval,interval)', 'argument', 'name', 'text', NULL, 'stored as a code_name, or refused'),
	('paws_sync.drop_topic(text)', 'argument', 'name', 'text', NULL, 'looked up'),
	('paws_sync.pause_topic(text)', 'argument', 'name', 'text', NULL, 'looked up'),
	('paws_sync.resume_topic(text)', 'argument', 'name', 'text', NULL, 'looked up'),
	('paws_sync.dead_letters(text,integer)', 'argument', 'topic', 'text', NULL, 'looked up; stored as a number'),
	('paws_sync.redrive(text,bigint[],integer)', 'argument', 'topic', 'text', NULL, 'looked up; stored as a number'),
	('paws_sync.submit(text,bytea,paws_sync.class,paws_sync.subject,text,timestamp with time zone,text,timestamp with time zone)', 'argument', 'topic', 'text', NULL, 'looked up; stored as a number'),
	('paws_sync.submit_many(text,bytea[],paws_sync.class,paws_sync.subject[],text[],timestamp with time zone[],text[],timestamp with time zone[])', 'argument', 'topic', 'text', NULL, 'looked up; stored as a number'),
	('paws_sync.claim(text[],integer,interval)', 'argument', 'topics', 'text[]', NULL, 'looked up'),
	('paws_sync.claim(text[],integer,interval)', 'result', 'topic', 'text', 'topic', 'a code_name'),
	('paws_sync.claim(text[],integer,interval)', 'result', 'payload', 'bytea', NULL, 'opened for the worker that claims the job'),
	('paws_sync.claim_wait(text[],integer,interval,interval)', 'argument', 'topics', 'text[]', NULL, 'looked up'),
	('paws_sync.claim_wait(text[],integer,interval,interval)', 'result', 'topic', 'text', 'topic', 'a code_name'),
	('paws_sync.claim_wait(text[],integer,interval,interval)', 'result', 'payload', 'bytea', NULL, 'opened for the worker that claims the job'),
	('paws_sync.submit(text,bytea,paws_sync.class,paws_sync.subject,text,timestamp with time zone,text,timestamp with time zone)', 'argument', 'payload', 'bytea', NULL, 'sealed before a row exists'),
	('paws_sync.submit_many(text,bytea[],paws_sync.class,paws_sync.subject[],text[],timestamp with time zone[],text[],timestamp with time zone[])', 'argument', 'payloads', 'bytea[]', NULL, 'sealed before a row exists'),
	('paws_sync.submit(text,bytea,paws_sync.class,paws_sync.subject,text,timestamp with time zone,text,timestamp with time zone)', 'argument', 'key', 'text', NULL, 'goes through a keyed hash; the digest is stored'),
	('paws_sync.submit_many(text,bytea[],paws_sync.class,paws_sync.subject[],text[],timestamp with time zone[],text[],timestamp with time zone[])', 'argument', 'keys', 'text[]', NULL, 'goes through a keyed hash; the digest is stored'),
	('paws_sync.submit(text,bytea,paws_sync.class,paws_sync.subject,text,timestamp with time zone,text,timestamp with time zone)', 'argument', 'ordering_key', 'text', NULL, 'goes through a keyed hash; the digest is stored'),
	('paws_sync.submit_many(text,bytea[],paws_sync.class,paws_sync.subject[],text[],timestamp with time zone[],text[],timestamp with time zone[])', 'argument', 'ordering_keys', 'text[]', NULL, 'goes through a keyed hash; the digest is stored'),
	('paws_sync.submit(text,bytea,paws_sync.class,paws_sync.subject,text,timestamp with time zone,text,timestamp with time zone)', 'result', 'result', 'bytea', NULL, 'opened for who has the key'),
	('paws_sync.submit(text,bytea,paws_sync.class,paws_sync.subject,text,timestamp with time zone,text,timestamp with time zone)', 'result', 'code', 'text', 'reason', 'a word for a code'),
	('paws_sync.submit_many(text,bytea[],paws_sync.class,paws_sync.subject[],text[],timestamp with time zone[],text[],timestamp with time zone[])', 'result', 'result', 'bytea', NULL, 'opened for who has the key'),
	('paws_sync.submit_many(text,bytea[],paws_sync.class,paws_sync.subject[],text[],timestamp with time zone[],text[],timestamp with time zone[])', 'result', 'code', 'text', 'reason', 'a word for a code'),
	('paws_sync.complete(bigint,bigint,bytea,boolean)', 'argument', 'result', 'bytea', NULL, 'sealed before a row exists'),
	('paws_sync.complete_many(bigint[],bigint[],bytea[],boolean)', 'argument', 'results', 'bytea[]', NULL, 'sealed before a row exists'),
	('paws_sync.topics()', 'result', 'name', 'text', 'topic', 'a code_name'),
	('paws_sync.job_status(bigint)', 'result', 'topic', 'text', 'topic', 'a code_name'),
	('paws_sync.stat_topics()', 'result', 'topic', 'text', 'topic', 'a code_name'),
	('paws_sync.pg_stat_paws_sync_topics', 'view', 'topic', 'text', 'topic', 'a code_name');
INSERT INTO allowed SELECT f, 'result', r, 'text', v, 'a word for a code, the operator''s name of a collection'
FROM unnest('{"paws_sync.pull(paws_sync.device,paws_sync.cursor,integer,integer)","paws_sync.pull_wait(paws_sync.device,paws_sync.cursor,interval,integer,integer)",
	"paws_sync.pull_crisis(paws_sync.device,paws_sync.cursor,integer,integer)"}'::text[]) f,
	(VALUES ('lane', 'lane'), ('kind', 'page'), ('collection', 'name'), ('code', 'page_reason')) AS c (r, v);
INSERT INTO allowed SELECT f, 'result', 'payload', 'bytea', NULL, 'opened for the device that may have it'
FROM unnest('{"paws_sync.pull(paws_sync.device,paws_sync.cursor,integer,integer)","paws_sync.pull_wait(paws_sync.device,paws_sync.cursor,interval,integer,integer)",
	"paws_sync.pull_crisis(paws_sync.device,paws_sync.cursor,integer,integer)"}'::text[]) f;
INSERT INTO allowed SELECT f, 'result', r, 'text', NULL, 'the state of the server: settings, and names of its catalogs'
FROM unnest('{log_posture(),log_probe()}'::text[]) l, unnest('{setting,value,wanted}'::text[]) r, LATERAL (SELECT 'paws_sync.' || l) AS n (f);
INSERT INTO allowed SELECT f, 'result', r, 'text', NULL, 'the state of the server: settings, counts, and names of its catalogs'
FROM unnest('{doctor(),doctor_probe(),doctor_server(),doctor_objects(),doctor_stored(),doctor_horizon()}'::text[]) d,
	unnest('{area,check_name,value,wanted,hint}'::text[]) r, LATERAL (SELECT 'paws_sync.' || d) AS n (f);

INSERT INTO allowed SELECT o, 'result', r, 'text', v, 'public lines: what ships, and what an operator sets of a closed form'
FROM unnest('{"paws_sync.crisis_bundle(paws_sync.device,text)",paws_sync.list_resources()}'::text[]) o,
	(VALUES ('region', 'region'), ('name', 'line'), ('channel', 'channel'), ('contact', 'contact')) AS c (r, v);
INSERT INTO allowed SELECT 'paws_sync.resources', 'view', name, type, vocabulary, reason FROM allowed WHERE object = 'paws_sync.list_resources()';
INSERT INTO allowed SELECT f, 'argument', r, 'text', NULL, 'stored as a code or in a closed form, or refused'
FROM (VALUES ('paws_sync.set_resource(text,text,text,text)', '{region,name,channel,contact}'::text[]), ('paws_sync.drop_resource(text,text,text)', '{region,name,channel}')) AS c (f, a),
	unnest(a) AS r;
INSERT INTO allowed SELECT o, p, r, 'text', v, w
FROM (VALUES ('paws_sync.stat_memory()', 'result'), ('paws_sync.pg_stat_paws_sync_memory', 'view')) AS x (o, p),
	(VALUES ('kind', NULL, 'what the server calls its processes'), ('memory', 'memory', 'a constant')) AS y (r, v, w);
INSERT INTO allowed SELECT o, p, r, t, v, w
FROM (VALUES ('paws_sync.stat_horizon()', 'result'), ('paws_sync.pg_stat_paws_sync_horizon', 'view')) AS x (o, p),
	(VALUES ('kind', 'text', 'holder', 'a constant'), ('state', 'text', 'holder_state', 'a constant'), ('holds', 'text', 'held', 'a constant'),
		('slot', 'name', NULL, 'a name of the server''s catalogs')) AS y (r, t, v, w);

-- nothing is open that is not listed, and the list has nothing that is not there; must be none
SELECT object, part, name, type FROM open_use EXCEPT SELECT object, part, name, type FROM allowed;
SELECT object, part, name, type FROM allowed EXCEPT SELECT object, part, name, type FROM open_use;
SELECT object, part, name FROM allowed GROUP BY 1, 2, 3 HAVING count(*) > 1;
-- the walk does see open types, of each kind
BEGIN;
CREATE TABLE paws_care.open (a text, b varchar(9), c "char", d name, e json, f jsonb, g xml, h bytea, i inet, j text[], k numeric, m date, n paws_care.feed,
	o bigint, p paws_sync.device, q paws_sync.tier[]);
CREATE INDEX ON paws_care.open (lower(a), o, (o::text));
CREATE VIEW paws_sync.open AS SELECT o, o::text AS p, h FROM paws_care.open;
CREATE FUNCTION paws_sync.open(a bigint, b text, OUT c bigint, OUT d json) LANGUAGE sql AS 'SELECT 1::bigint, NULL::json';
CREATE FUNCTION paws_sync.open(a anyelement, VARIADIC b text[]) RETURNS record LANGUAGE sql AS 'SELECT 1, 2';
CREATE FUNCTION paws_sync.open(a paws_care.feed) RETURNS TABLE (b cidr) LANGUAGE sql AS 'SELECT NULL::cidr';
ALTER EXTENSION paws_sync ADD TABLE paws_care.open;
ALTER EXTENSION paws_sync ADD VIEW paws_sync.open;
ALTER EXTENSION paws_sync ADD FUNCTION paws_sync.open(bigint, text);
ALTER EXTENSION paws_sync ADD FUNCTION paws_sync.open(anyelement, text[]);
ALTER EXTENSION paws_sync ADD FUNCTION paws_sync.open(paws_care.feed);
SELECT part, object, name, type FROM (SELECT object, part, name, type FROM open_use EXCEPT SELECT object, part, name, type FROM allowed) AS found
ORDER BY part COLLATE "C", object COLLATE "C", name COLLATE "C";
ROLLBACK;

-- bytes that are stored are bounded by a check; must be none
SELECT a.object, a.name FROM allowed a WHERE a.part = 'stored' AND NOT EXISTS (
	SELECT FROM pg_constraint c JOIN pg_attribute t ON t.attrelid = c.conrelid AND t.attnum = ANY (c.conkey)
	WHERE c.conrelid = to_regclass(a.object) AND c.contype = 'c' AND c.convalidated AND t.attname = a.name AND array_length(c.conkey, 1) = 1);
SELECT a.object, a.name, string_agg(pg_get_constraintdef(c.oid), ' ' ORDER BY c.conname) AS "check"
FROM allowed a JOIN pg_attribute t ON t.attrelid = to_regclass(a.object) AND t.attname = a.name
JOIN pg_constraint c ON c.conrelid = t.attrelid AND t.attnum = ANY (c.conkey)
WHERE a.part = 'stored' GROUP BY a.object, a.name ORDER BY a.object COLLATE "C";

-- indexes: what they keep of expressions and predicates
SELECT indexrelid::regclass AS index, pg_get_expr(indexprs, indrelid) AS expressions, pg_get_expr(indpred, indrelid) AS predicate
FROM pg_index JOIN member_relation ON oid = indrelid WHERE indexprs IS NOT NULL OR indpred IS NOT NULL ORDER BY indexrelid::regclass::text COLLATE "C";
-- extended statistics would keep values beside the tables, generated columns copies of them; must be none
SELECT stxname FROM pg_statistic_ext JOIN member_relation r ON r.oid = stxrelid;
SELECT r.relation, a.attname FROM pg_attribute a JOIN member_relation r ON r.oid = a.attrelid WHERE a.attgenerated <> '';

-- defaults: numbers, flags, times
SELECT r.relation, a.attname, pg_get_expr(d.adbin, d.adrelid) AS "default" FROM pg_attrdef d
JOIN member_relation r ON r.oid = d.adrelid JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
ORDER BY r.relation COLLATE "C", a.attname COLLATE "C";

-- What is returned in words is of the vocabulary that is named.
SELECT paws_sync.define_topic('construction');
CREATE TEMP TABLE word AS
	SELECT kind AS vocabulary, name AS word FROM paws_sync.vocabulary()
	UNION SELECT 'name', name::text FROM paws_registry.collection
	UNION SELECT 'topic', name::text FROM paws_queue.topic
	UNION SELECT 'topic', 'crisis_response'
	UNION SELECT 'page_reason', name FROM paws_sync.vocabulary() WHERE kind IN ('reason', 'severity')
	UNION SELECT v, w FROM (VALUES
		('lane', '{crisis,ordinary}'::text[]), ('worker', '{launcher,scheduler,pool,crisis,timer,canary}'), ('state', '{starting,idle,working}'),
		('page', '{change,receipt,reset,unreadable,position,limited,signal,document}'), ('resource', '{worker_time,bytes}'), ('unit', '{us,bytes}'), ('page_reason', '{cursor_expired,cursor_reset,envelope_rejected,sealed,ended}'),
		('bundle', '{resource,document}'), ('erasure', '{deleted,swept,destroyed,certified}'), ('keyring', '{base,epoch,destroyed}'),
		('root', '{care,crisis,billing}'), ('key_state', '{open,current,old,foreign,closed,missing,destroyed}'), ('memory', '{locked,unlocked,none}'),
		('lane_state', '{ok,degraded,down,starting,unwatched,standby}'), ('alarm_unit', '{us,ms,s,MB,operations,workers}'),
		('refusal', '{too_large,queue_full,locked,canceled,storage,keys,conflict,read_only,other}'),
		('alarm', '{canary_slow,canary_failing,canary_silent,refused,rolled_back,crisis_workers,queue_old,queue_stuck,queue_filling,storage_data,storage_wal}'),
		('compression', '{none}'), ('key_job', '{epochs,data_keys,roots}'),
		('key_phase', '{requested,rewrapping,settling_writers,rewrapping_rest,settling_readers,destroying,making_keys,resealing,deleting_keys,finished}'),
		('holder', '{session,"prepared transaction","replication slot",standby}'), ('held', '{rows,catalogs}'),
		('holder_state', '{active,"idle after writing","idle with a snapshot",prepared,inactive,feedback}'),
		('profile', '{app,device_gateway,crisis,responder,billing,operator,auditor}'), ('privilege', '{USAGE,EXECUTE,SELECT}'),
		('object_kind', '{schema,type,function,view}'),
		('kind', '{token,id,number,position,code,flag,limit,name,time,envelope,digest,key}'),
		('retention', '{until_finished,topic_history,dead_letters,offline_window,thirty_days,until_deleted,until_replaced,month,for_good}'),
		('component', '{library,keys care,keys crisis,keys billing,keyring,workers,queue,admission,crisis lane}'),
		('component_state', '{loaded,none,wrong,ready,off,starting,counting,open,ok,degraded,down,unwatched,standby}')) AS x (v, l), unnest(l) AS w;
-- these are not lists but forms
CREATE TEMP TABLE form (vocabulary text, type regtype);
INSERT INTO form VALUES ('region', 'paws_crisis.region'), ('contact', 'paws_crisis.contact'), ('line', 'paws_registry.code_name');
-- every vocabulary that is named above is there; must be none
SELECT vocabulary FROM allowed WHERE vocabulary IS NOT NULL EXCEPT SELECT vocabulary FROM word EXCEPT SELECT vocabulary FROM form;

-- something to return: changes and receipts of all sorts, a reset and an unreadable document
SELECT paws_sync.subject_for('construction') AS subject \gset
SELECT paws_sync.register_device(:'subject', 'ios') AS phone \gset
SELECT paws_sync.register_device(:'subject', 'web') AS browser \gset
CREATE TEMP TABLE answer AS
	SELECT code FROM paws_sync.push(:'phone', t.ops(t.op(1, 'mood', 1, 0, 'one'), t.op(1, 'mood', 1, 0, 'one'), t.op(2, 'nothing', 1, 0, 'one'), t.op(3, 'plan', 2, 7, 'x'),
		t.op(4, 'plan', 3, 0, repeat('x', 100000)), t.op(5, 'safety_plan', 4, 0, 'help'), t.op(6, 'mood', 5, 0, 'two'), '{}'));
CALL t.wait_applied();
SELECT (array_agg("cursor"))[count(*)] AS place FROM paws_sync.pull(:'phone') \gset
CREATE TEMP TABLE many AS
	SELECT code FROM paws_sync.push_many(:'phone', ARRAY[t.id(11), t.id(12)], '{mood,nothing}', ARRAY[t.id(1), t.id(1)], '{0,0}', '{x,x}');
CALL t.wait_applied();
UPDATE paws_care.document SET seal = decode(repeat('00', 16), 'hex')
WHERE doc_id = t.id(5) AND subject_no = (SELECT subject_no FROM paws_registry.subject WHERE subject::text = :'subject');
CREATE TEMP TABLE page AS SELECT * FROM paws_sync.pull(:'browser') UNION ALL SELECT * FROM paws_sync.pull(:'phone', :'place')
	UNION ALL SELECT * FROM paws_sync.pull_wait(:'browser');
INSERT INTO paws_care.cursor_epoch VALUES ((SELECT coalesce(max(epoch), 1) + 1 FROM paws_care.cursor_epoch));
INSERT INTO page SELECT p.* FROM (SELECT "cursor" AS place FROM page WHERE kind = 'receipt' LIMIT 1) c, paws_sync.pull(:'browser', c.place) p;
CREATE TEMP TABLE crisis AS
	SELECT 'paws_sync.push_crisis(paws_sync.device,jsonb)' AS object, 'code' AS name, code AS word FROM paws_sync.push_crisis(:'phone', t.ops(t.op(21, 'mood', 21, 0, 'x')));
INSERT INTO crisis SELECT 'paws_sync.crisis_bundle(paws_sync.device,text)', v.name, v.word FROM paws_sync.crisis_bundle(:'phone') b,
	LATERAL (VALUES ('kind', b.kind), ('region', b.region), ('name', b.name), ('channel', b.channel), ('contact', b.contact), ('collection', b.collection)) AS v (name, word);
UPDATE paws_crisis.document SET seal = decode(repeat('00', 16), 'hex')
WHERE doc_id = t.id(4) AND subject_no = (SELECT subject_no FROM paws_registry.subject WHERE subject::text = :'subject');
INSERT INTO crisis SELECT 'paws_sync.crisis_bundle(paws_sync.device,text)', 'code', code FROM paws_sync.crisis_bundle(:'phone');
SELECT paws_sync.raise_crisis(:'subject', 'self_report', 'low') IS NOT NULL AS raised;
INSERT INTO crisis SELECT 'paws_sync.pull_crisis(paws_sync.device,paws_sync.cursor,integer,integer)', v.name, v.word FROM paws_sync.pull_crisis(:'browser') p,
	LATERAL (VALUES ('lane', p.lane), ('kind', p.kind), ('collection', p.collection), ('code', p.code)) AS v (name, word);
SELECT paws_sync.subject_for('construction forgotten') AS forgotten \gset
SELECT paws_sync.register_device(:'forgotten', 'ios') IS NOT NULL AS registered;
INSERT INTO crisis SELECT 'paws_sync.forget(paws_sync.subject)', 'state', state FROM paws_sync.forget(:'forgotten');
INSERT INTO crisis SELECT 'paws_sync.erasure_status(paws_sync.subject)', 'state', state FROM paws_sync.erasure_status(:'forgotten');
BEGIN;
SELECT paws_sync.rotate_keys('roots') AS job \gset
SELECT kind AS job_kind, phase AS job_phase FROM paws_sync.pg_stat_progress_paws_sync_keys WHERE job = :job \gset
ROLLBACK;
INSERT INTO crisis SELECT 'paws_sync.pg_stat_progress_paws_sync_keys', v.name, v.word
FROM (VALUES ('kind', :'job_kind'), ('phase', :'job_phase')) AS v (name, word);
BEGIN ISOLATION LEVEL REPEATABLE READ;
CREATE TEMP TABLE horizon AS SELECT * FROM paws_sync.stat_horizon();
COMMIT;
INSERT INTO crisis SELECT 'paws_sync.submit(text,bytea,paws_sync.class,paws_sync.subject,text,timestamp with time zone,text,timestamp with time zone)', 'code', code FROM paws_sync.submit('construction', convert_to(repeat('x', 10000000), 'UTF8'));
INSERT INTO crisis SELECT 'paws_sync.submit_many(text,bytea[],paws_sync.class,paws_sync.subject[],text[],timestamp with time zone[],text[],timestamp with time zone[])', 'code', code FROM paws_sync.submit_many('construction', '{NULL,one,two}');
INSERT INTO crisis SELECT 'paws_sync.claim(text[],integer,interval)', 'topic', topic FROM paws_sync.claim('{construction}');
INSERT INTO crisis SELECT 'paws_sync.claim_wait(text[],integer,interval,interval)', 'topic', topic FROM paws_sync.claim_wait('{construction}');
CREATE TEMP TABLE said AS
	SELECT 'paws_sync.topics()' AS object, 'name' AS name, name AS word FROM paws_sync.topics()
	UNION SELECT 'paws_sync.job_status(bigint)', 'topic', s.topic FROM paws_queue.job j, paws_sync.job_status(j.id) s
	UNION SELECT o, 'topic', topic FROM paws_sync.stat_topics(), unnest('{paws_sync.stat_topics(),paws_sync.pg_stat_paws_sync_topics}'::text[]) o
	UNION
	SELECT object, name, word FROM crisis
	UNION SELECT o, v.name, v.word FROM paws_sync.list_resources() l, unnest('{paws_sync.list_resources(),paws_sync.resources}'::text[]) o,
		LATERAL (VALUES ('region', l.region), ('name', l.name), ('channel', l.channel), ('contact', l.contact)) AS v (name, word)
	UNION SELECT 'paws_sync.keyring()', v.name, v.word FROM paws_sync.keyring() k, LATERAL (VALUES ('kind', k.kind), ('root', k.root)) AS v (name, word)
	UNION SELECT 'paws_sync.key_status()', v.name, v.word FROM paws_sync.key_status() k, LATERAL (VALUES ('kind', k.kind), ('root', k.root), ('state', k.state)) AS v (name, word)
	UNION SELECT o, v.name, v.word FROM horizon h, unnest('{paws_sync.stat_horizon(),paws_sync.pg_stat_paws_sync_horizon}'::text[]) o,
		LATERAL (VALUES ('kind', h.kind), ('state', h.state), ('holds', h.holds)) AS v (name, word)
	UNION SELECT o, 'memory', memory FROM paws_sync.stat_memory(), unnest('{paws_sync.stat_memory(),paws_sync.pg_stat_paws_sync_memory}'::text[]) o
	UNION SELECT 'paws_sync.crisis_items', 'topic', topic FROM paws_sync.crisis_items
	UNION SELECT 'paws_sync.tier_policy', 'compression', compression FROM paws_sync.tier_policy
	UNION SELECT o, v.name, v.word FROM paws_sync.pg_stat_paws_sync_reserve r, unnest('{paws_sync.stat_reserve(),paws_sync.pg_stat_paws_sync_reserve}'::text[]) o,
		LATERAL (VALUES ('resource', r.resource), ('unit', r.unit)) AS v (name, word)
	UNION SELECT o, 'state', state FROM paws_sync.stat_crisis(), unnest('{paws_sync.stat_crisis(),paws_sync.pg_stat_paws_sync_crisis}'::text[]) o
	UNION SELECT o, 'code', code FROM paws_sync.stat_crisis_refusals(), unnest('{paws_sync.stat_crisis_refusals(),paws_sync.pg_stat_paws_sync_crisis_refusals}'::text[]) o
	UNION SELECT o, v.name, v.word FROM paws_sync.stat_alarms() a, unnest('{paws_sync.stat_alarms(),paws_sync.pg_stat_paws_sync_alarms}'::text[]) o,
		LATERAL (VALUES ('alarm', a.alarm), ('unit', a.unit)) AS v (name, word)
	UNION
	SELECT 'paws_sync.push(paws_sync.device,jsonb)' AS object, 'code' AS name, code AS word FROM answer
	UNION SELECT 'paws_sync.push_many(paws_sync.device,uuid[],text[],uuid[],bigint[],bytea[],boolean[])', 'code', code FROM many
	UNION SELECT f, v.name, v.word FROM page p, unnest('{"paws_sync.pull(paws_sync.device,paws_sync.cursor,integer,integer)","paws_sync.pull_wait(paws_sync.device,paws_sync.cursor,interval,integer,integer)",
	"paws_sync.pull_crisis(paws_sync.device,paws_sync.cursor,integer,integer)"}'::text[]) f,
		LATERAL (VALUES ('lane', p.lane), ('kind', p.kind), ('collection', p.collection), ('code', p.code)) AS v (name, word)
	UNION SELECT 'paws_sync.receipts(paws_sync.device,uuid[])', 'code', code FROM paws_sync.receipts(:'phone', ARRAY[t.id(1), t.id(3)])
	UNION SELECT 'paws_sync.devices(paws_sync.subject)', 'platform', platform FROM paws_sync.devices(:'subject')
	UNION SELECT 'paws_sync.sync_status(paws_sync.subject)', 'platform', platform FROM paws_sync.sync_status(:'subject')
	UNION SELECT 'paws_sync.stat_lanes()', 'lane', lane FROM paws_sync.stat_lanes()
	UNION SELECT 'paws_sync.pg_stat_paws_sync_lanes', 'lane', lane FROM paws_sync.pg_stat_paws_sync_lanes
	UNION SELECT o, v.name, v.word FROM paws_sync.stat_workers() w, unnest('{paws_sync.stat_workers(),paws_sync.pg_stat_paws_sync_workers}'::text[]) o,
		LATERAL (VALUES ('kind', w.kind), ('state', w.state)) AS v (name, word)
	UNION SELECT 'paws_sync.collections', v.name, v.word FROM paws_sync.collections c, LATERAL (VALUES ('name', c.name), ('on_conflict', c.on_conflict), ('sealing', c.sealing)) AS v (name, word)
	UNION SELECT 'paws_sync.profiles', v.name, v.word FROM paws_sync.profiles p, LATERAL (VALUES ('profile', p.profile), ('privilege', p.privilege), ('kind', p.kind)) AS v (name, word)
	UNION SELECT 'paws_sync.manifest()', v.name, v.word FROM paws_sync.manifest() m, LATERAL (VALUES ('kind', m.kind), ('retention', m.retention)) AS v (name, word)
	UNION SELECT 'paws_sync.status()', v.name, v.word FROM paws_sync.status() s, LATERAL (VALUES ('component', s.component), ('state', s.state)) AS v (name, word);
DELETE FROM paws_care.cursor_epoch;
-- it is all of the vocabulary; must be none
SELECT s.object, s.name, s.word FROM said s JOIN allowed a USING (object, name)
WHERE a.vocabulary IS NOT NULL AND s.word IS NOT NULL AND NOT EXISTS (SELECT FROM word w WHERE w.vocabulary = a.vocabulary AND w.word = s.word)
	AND NOT EXISTS (SELECT FROM form f WHERE f.vocabulary = a.vocabulary AND pg_temp.takes(f.type, s.word));
SELECT object, name FROM said EXCEPT SELECT object, name FROM allowed WHERE vocabulary IS NOT NULL;
-- and nothing that is named was left out; must be none
SELECT object, name FROM allowed WHERE vocabulary IS NOT NULL EXCEPT SELECT object, name FROM said WHERE word IS NOT NULL;
SELECT name, array_agg(DISTINCT word ORDER BY word) AS said FROM said WHERE object ~ 'pull|push|receipts|devices' AND word IS NOT NULL
GROUP BY name ORDER BY name COLLATE "C";

-- What depends on a key or on chance is never taken for a constant: immutable is only what stands behind types, and the
-- vocabulary; stable is what gives the same answer within a statement.
SELECT f.oid::regprocedure AS function, f.provolatile FROM member_function f
WHERE f.provolatile <> 'v' AND f.oid NOT IN (SELECT oid FROM type_support) ORDER BY f.oid::regprocedure::text COLLATE "C";
-- nothing of ours is trusted to leak nothing, or runs in parallel workers, but for those behind types; must be none
SELECT oid::regprocedure FROM member_function WHERE proleakproof OR proparallel <> 'u' AND oid NOT IN (SELECT oid FROM type_support)
	AND oid <> 'paws_sync.vocabulary()'::regprocedure;
-- chance is asked anew for each row and each execution: tokens, nonces, sealed payloads
SELECT count(DISTINCT paws_sync.register_device(:'subject', 'server')) AS tokens FROM generate_series(1, 20);
SET plan_cache_mode = force_generic_plan;
PREPARE mint AS SELECT paws_sync.register_device($1, 'server')::text AS token;
CREATE TEMP TABLE minted AS EXECUTE mint(:'subject');
CREATE TEMP TABLE minted_again AS EXECUTE mint(:'subject');
SELECT count(DISTINCT token) AS tokens FROM (TABLE minted UNION ALL TABLE minted_again) m;
RESET plan_cache_mode;
SELECT count(*) FROM paws_sync.push(:'phone', (SELECT jsonb_agg(t.op(n::integer, c, n::integer, 0, 'the same'))
	FROM unnest('{mood,safety_plan}'::text[]) WITH ORDINALITY AS k (c, k), generate_series(100 * k, 100 * k + 29) AS n));
CALL t.wait_applied();
SELECT lane, count(*) AS documents, count(DISTINCT substr(envelope, 33, 24)) AS nonces, count(DISTINCT envelope) AS envelopes, count(DISTINCT seal) AS seals
FROM (SELECT 'care' AS lane, subject_no, doc_id, envelope, seal FROM paws_care.document
	UNION ALL SELECT 'crisis', subject_no, doc_id, envelope, seal FROM paws_crisis.document) d
JOIN paws_registry.subject s USING (subject_no) WHERE s.subject::text = :'subject' AND doc_id >= t.id(100) GROUP BY lane ORDER BY lane;
