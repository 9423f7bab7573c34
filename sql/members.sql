\pset format unaligned
-- Exactly what the extension consists of. A new line here is a new promise.
SET search_path = pg_catalog;
SELECT member FROM (SELECT CASE WHEN d.classid = 'pg_operator'::regclass THEN 'operator ' || d.objid::regoperator::text
	ELSE pg_describe_object(d.classid, d.objid, d.objsubid) END AS member
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'paws_sync') AS members
ORDER BY member COLLATE "C";

-- the settings, and when a change of each takes effect
SELECT name, context, unit, boot_val FROM pg_settings WHERE name ~ '^paws_sync\.' ORDER BY name COLLATE "C";
