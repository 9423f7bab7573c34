-- Rules that every object of the extension keeps, read from the catalogs. Each query with "must be none" shows
-- what breaks its rule.
CREATE TEMP VIEW member AS
	SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'paws_sync';
CREATE TEMP VIEW member_function AS
	SELECT p.* FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid;
CREATE TEMP VIEW member_relation AS
	SELECT c.*, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid;
SELECT count(*) > 50 AS functions FROM member_function;
SELECT count(*) > 20 AS relations FROM member_relation;

-- a function that runs with its owner's rights, or names objects, has a pinned search_path; must be none
SELECT f.oid::regprocedure FROM member_function f JOIN pg_language l ON l.oid = f.prolang
WHERE (f.prosecdef OR l.lanname IN ('sql', 'plpgsql'))
	AND NOT coalesce(f.proconfig, '{}') @> '{"search_path=pg_catalog, pg_temp"}';

-- functions behind a type, an operator, an operator class or a cast
CREATE TEMP VIEW type_support AS
	SELECT unnest(ARRAY[typinput, typoutput, typreceive, typsend, typmodin, typmodout, typanalyze]::oid[]) AS oid
	FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
	UNION SELECT oprcode FROM pg_operator o JOIN member m ON m.classid = 'pg_operator'::regclass AND m.objid = o.oid
	UNION SELECT amproc FROM pg_amproc a
	JOIN member m ON m.classid = 'pg_opfamily'::regclass AND m.objid = a.amprocfamily
	UNION SELECT castfunc FROM pg_cast c JOIN member m ON m.classid = 'pg_cast'::regclass AND m.objid = c.oid;

-- everybody may execute those and no others; must be none
SELECT f.oid::regprocedure FROM member_function f
WHERE f.oid NOT IN (SELECT oid FROM type_support) AND
	(f.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(f.proacl) WHERE grantee = 0));
SELECT f.oid::regprocedure FROM member_function f
WHERE f.oid IN (SELECT oid FROM type_support) AND (f.prosecdef OR NOT f.proisstrict OR f.provolatile <> 'i');

-- what runs with its caller's rights, apart from those
SELECT f.oid::regprocedure FROM member_function f
WHERE NOT f.prosecdef AND f.oid NOT IN (SELECT oid FROM type_support) ORDER BY f.oid::regprocedure::text COLLATE "C";

-- nothing else is anybody's but the owner's; must be none
SELECT oid::regclass FROM member_relation
WHERE EXISTS (SELECT FROM aclexplode(relacl) WHERE grantee <> relowner)
	OR relacl IS NULL AND relkind IN ('r', 'v') ORDER BY 1;
SELECT nspname FROM pg_namespace n JOIN member m ON m.classid = 'pg_namespace'::regclass AND m.objid = n.oid
WHERE EXISTS (SELECT FROM aclexplode(n.nspacl) WHERE grantee <> n.nspowner);
SELECT defaclobjtype FROM pg_default_acl;

-- every table and sequence is dumped, and no data is in the schema of the API; must be none
SELECT oid::regclass FROM member_relation
WHERE relkind IN ('r', 'p', 'S', 'm') AND oid NOT IN (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'paws_sync');
SELECT oid::regclass FROM member_relation WHERE relkind IN ('r', 'p', 'm', 'S') AND nspname = 'paws_sync';

-- what is dumped in part
SELECT c.oid::regclass AS relation, c.condition
FROM pg_extension e, ROWS FROM (unnest(e.extconfig), unnest(e.extcondition)) AS c (oid, condition)
WHERE e.extname = 'paws_sync' AND c.condition <> '' ORDER BY 1;

-- every object has a comment (sequences of identity columns have none of their own); must be none
SELECT pg_describe_object(m.classid, m.objid, 0) AS without_comment FROM member m
WHERE NOT EXISTS (SELECT FROM pg_description d WHERE d.classoid = m.classid AND d.objoid = m.objid AND d.objsubid = 0)
	AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = m.classid AND i.objid = m.objid AND i.deptype = 'i'
		AND m.classid = 'pg_class'::regclass);
SELECT r.oid::regclass, a.attname FROM member_relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0
WHERE r.relkind = 'v' AND r.nspname = 'paws_sync' AND col_description(r.oid, a.attnum) IS NULL;

-- which domain refers to which; the crisis lane to none
SELECT DISTINCT c.conrelid::regclass AS from, c.confrelid::regclass AS to
FROM pg_constraint c JOIN member_relation r ON r.oid = c.conrelid WHERE c.contype = 'f' ORDER BY 1, 2;

-- a view over tables runs as its owner behind a barrier, one over functions as its caller
SELECT r.oid::regclass AS view, r.reloptions FROM member_relation r
WHERE r.relkind = 'v' ORDER BY r.oid::regclass::text COLLATE "C";

-- there is no way from one kind of token to another, and none from text but the type's input; must be none
SELECT c.castsource::regtype, c.casttarget::regtype FROM pg_cast c
WHERE 'paws_sync.subject'::regtype IN (c.castsource, c.casttarget)
	OR 'paws_sync.device'::regtype IN (c.castsource, c.casttarget)
	OR 'paws_sync.context'::regtype IN (c.castsource, c.casttarget);
