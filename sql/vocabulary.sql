-- The closed vocabularies. Their numbers are in tables: a line may be added, never changed.
SELECT kind, code, name FROM paws_sync.vocabulary() ORDER BY kind COLLATE "C", code;

-- the enums say the same, in the same order; must be none
SELECT v.kind, v.name, e.enumlabel
FROM (SELECT * FROM paws_sync.vocabulary() WHERE kind IN ('tier', 'class', 'outcome', 'feature', 'job_state', 'job_outcome', 'job_reason', 'source',
	'severity')) v
FULL JOIN (SELECT t.typname, enumlabel, row_number() OVER (PARTITION BY t.typname ORDER BY enumsortorder) AS code
	FROM pg_enum JOIN pg_type t ON t.oid = enumtypid WHERE t.typnamespace = 'paws_sync'::regnamespace) e
	ON e.typname = v.kind AND e.code = v.code
WHERE v.name IS DISTINCT FROM e.enumlabel;

-- as do the levels; must be none
SELECT code, name FROM paws_sync.vocabulary() WHERE kind = 'level' AND code::paws_sync.level::text <> name;
