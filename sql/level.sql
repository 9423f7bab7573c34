-- The type level: a number from 1 to 10 with a name.
\set VERBOSITY terse
SET search_path = paws_sync, public;
SELECT n, n::paws_sync.level AS level, n::paws_sync.level::integer = n AS "and back" FROM generate_series(10, 1, -1) AS n;
SELECT '7'::paws_sync.level, 'interactive_raised'::paws_sync.level, 'interactive_raised'::paws_sync.level = '7';
SELECT 0::paws_sync.level;
SELECT 11::paws_sync.level;
SELECT '0'::paws_sync.level;
SELECT '11'::paws_sync.level;
SELECT '07'::paws_sync.level;
SELECT ' 7'::paws_sync.level;
SELECT 'Urgent'::paws_sync.level;
SELECT ''::paws_sync.level;

-- it sorts by urgency, not by name
SELECT string_agg(l::text, ' > ' ORDER BY l DESC) FROM unnest('{bulk,crisis_data,control,background}'::paws_sync.level[]) AS l;
SELECT '2'::paws_sync.level < '10' AS lt, '2'::paws_sync.level <= '2' AS le, '9'::paws_sync.level > '10' AS gt,
	'3'::paws_sync.level >= '3' AS ge, '3'::paws_sync.level <> '3' AS ne;

-- binary form
SELECT paws_sync.level_send('10');
CREATE TEMP TABLE levels (l paws_sync.level PRIMARY KEY);
INSERT INTO levels SELECT n::paws_sync.level FROM generate_series(1, 10) AS n;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM levels WHERE l = '8';
SELECT * FROM levels WHERE l > '8' ORDER BY l;
RESET enable_seqscan;
SET enable_mergejoin = off;
SET enable_nestloop = off;
SELECT count(*) FROM levels a JOIN levels b USING (l);
