# Nobody gets more than a profile says by being clever: neither before the extension is created, by what is planted where
# its script looks or by default privileges; nor as a role with a profile, with a schema, temporary objects, functions,
# operators, casts, settings and views of its own. Names are taken from the catalogs and the install script, so that
# what is new is tried as well.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('escalation', -no_extension => 1, 'paws_sync.databases' => 'hardened',
	'paws_sync.max_wait_with_snapshot' => '10ms');

sub sql { return $node->safe_psql('hardened', $_[0]) }
sub lines_of { return split /\n/, sql($_[0]) }

# One test: the query finds nothing.
sub none_of
{
	my ($query, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(sql($query), '', $name);
}

# What a role gets to see of a script that goes on after errors, of which only the SQLSTATE is shown: answers, and errors.
sub as
{
	my ($role, $script) = @_;
	my ($out, $err) = ('', '');

	$node->psql('hardened', $script, stdout => \$out, stderr => \$err, on_error_stop => 0,
		extra_params => [ '-U', $role, '-v', 'VERBOSITY=sqlstate' ]);
	return ($out, $err);
}

# One test: each of these fails, with insufficient_privilege.
sub refused
{
	my ($role, $name, @statements) = @_;
	my ($out, $err) = as($role, join('', map { "$_;\n" } @statements));
	my %states;

	$states{$1}++ while $err =~ /(?:ERROR|FATAL):  ([0-9A-Z]{5})/g;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(join(' ', map { "$_ $states{$_}" } sort keys %states), '42501 ' . scalar(@statements), "$role: $name") or diag($err);
	return;
}

# ---- Before CREATE EXTENSION: a database of somebody who is no superuser, and whose schema pgcrypto was put in. There are
# traps: a function for each of the server's whose name our SQL mentions, with the very same arguments or, where those
# are polymorphic, with such as fit better; and operators for the types that we use. Each notes who called it.

$node->safe_psql('postgres', 'CREATE ROLE villain LOGIN; CREATE ROLE heir; CREATE DATABASE hardened OWNER villain');
sql(<<'SQL');
CREATE SCHEMA theirs AUTHORIZATION villain;
CREATE EXTENSION pgcrypto SCHEMA theirs;
CREATE TABLE public.script (text text);
GRANT SELECT ON public.script TO villain;
SQL
my $script = join("\n", map { slurp_file($_) } glob("$ENV{TESTDIR}/paws_sync--*.sql"));
$script =~ s/--.*//g;
cmp_ok(length($script), '>', 50000, 'the install script is there');
sql('INSERT INTO public.script VALUES ($script$' . $script . '$script$)');

$node->safe_psql('hardened', <<'SQL', extra_params => [ '-U', 'villain' ]);
CREATE TABLE theirs.caught (who name DEFAULT current_user, what text);
GRANT USAGE ON SCHEMA theirs TO PUBLIC;
GRANT INSERT ON theirs.caught TO PUBLIC;
CREATE FUNCTION theirs.note(what text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
	IF current_setting('transaction_read_only') = 'off' THEN
		INSERT INTO theirs.caught (what) VALUES ($1);
	END IF;
END
$$;
-- a pseudotype's name with an ordinary type in its place; NULL if there is none
CREATE FUNCTION theirs.instead(type oid, element text) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN t.typname IN ('anyarray', 'anycompatiblearray') THEN element || '[]'
		WHEN t.typname IN ('anyelement', 'anynonarray', 'anycompatible') THEN element
		WHEN t.typtype <> 'p' THEN format_type(t.oid, NULL) END
	FROM pg_catalog.pg_type t WHERE t.oid = type
$$;
CREATE VIEW theirs.trap AS
	SELECT DISTINCT ON (p.proname, a.arguments)
		format('CREATE FUNCTION theirs.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS %L', p.proname, a.arguments, CASE WHEN p.proretset THEN 'SETOF' END, a.result,
			format('BEGIN PERFORM theirs.note(%L); RETURN%s; END', p.proname, CASE WHEN NOT p.proretset THEN ' NULL' END)) AS statement
	FROM pg_catalog.pg_proc p, public.script s, unnest('{text,bigint,smallint,uuid,timestamptz}'::text[]) AS element,
		LATERAL (SELECT theirs.instead(p.prorettype, element) AS result,
			(SELECT CASE WHEN count(*) = count(i) THEN coalesce(string_agg(i, ', ' ORDER BY n), '') END
				FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS u (type, n), theirs.instead(type, element) AS i) AS arguments) AS a
	WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.provariadic = 0 AND a.arguments IS NOT NULL AND a.result IS NOT NULL
		AND s.text ~ ('\m' || p.proname || '\(')
	UNION ALL
	SELECT format('CREATE FUNCTION theirs.%I(%s, %s) RETURNS boolean LANGUAGE plpgsql AS %L; CREATE OPERATOR theirs.%s (FUNCTION = theirs.%1$I, LEFTARG = %2$s, RIGHTARG = %3$s)',
		format('operator %s %s %s', l, o, r), l, r, format('BEGIN PERFORM theirs.note(%L); RETURN NULL; END', format('%s %s %s', l, o, r)), o)
	FROM unnest('{=,<>,<,>,<=,>=,+,-,||,~,->>,/,*,@>,<@}'::text[]) AS o,
		unnest('{bigint,integer,smallint,text,name,oid,regclass,boolean,uuid,timestamptz,interval,text[],"\"char\"",double precision}'::text[]) AS l,
		unnest('{bigint,integer,smallint,text,name,oid,regclass,boolean,uuid,timestamptz,interval,text[],"\"char\"",double precision}'::text[]) AS r
	WHERE l = r OR o IN ('=', '<>');
DO $$
DECLARE
	trap text;
BEGIN
	FOR trap IN SELECT statement FROM theirs.trap LOOP
		BEGIN
			EXECUTE trap;
		EXCEPTION WHEN duplicate_function OR invalid_function_definition THEN
			NULL; -- pgcrypto has it, or the server would not take it
		END;
	END LOOP;
END
$$;
-- the one by which views of the extension were once caught
SELECT 'theirs.unnest(text[])'::regprocedure;
SQL
cmp_ok(sql("SELECT count(*) FROM pg_proc WHERE pronamespace = 'theirs'::regnamespace"), '>', 300, 'traps are set');

# Default privileges of the superuser that give everything to somebody, and take from PUBLIC what the server gives; and
# what each command of the script sees.
sql(<<'SQL');
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO heir;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO heir WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO heir;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO heir;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO heir;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TYPES FROM PUBLIC;
CREATE TABLE public.seen (path text, tag text);
CREATE FUNCTION public.see() RETURNS event_trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO public.seen VALUES (pg_catalog.current_setting('search_path'), tg_tag); END $$;
CREATE EVENT TRIGGER see ON ddl_command_end EXECUTE FUNCTION public.see();
SQL
sql('SET client_min_messages = warning; SET search_path = theirs, pg_catalog; CREATE EXTENSION paws_sync');
sql('DROP EVENT TRIGGER see');
cmp_ok(sql("SELECT count(*) FROM public.seen WHERE path = 'pg_catalog, pg_temp'"), '>', 300, 'the script has a path of its own');
none_of("SELECT * FROM public.seen WHERE path <> 'pg_catalog, pg_temp' AND tag <> 'CREATE EXTENSION'", 'in every command');
PawsNode::wait_workers($node, 'hardened');
none_of("SELECT who, what FROM theirs.caught LIMIT 5", 'CREATE EXTENSION calls nothing that was planted');
none_of(<<'SQL', 'nothing of the extension refers to what is neither its own nor the server\'s');
WITH member AS (SELECT classid, objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid WHERE d.deptype = 'e' AND e.extname = 'paws_sync'),
part AS (
	SELECT classid, objid FROM member
	UNION SELECT 'pg_rewrite'::regclass, r.oid FROM pg_rewrite r JOIN member m ON m.objid = r.ev_class
	UNION SELECT 'pg_constraint'::regclass, c.oid FROM pg_constraint c JOIN member m ON m.objid IN (c.conrelid, c.contypid)
	UNION SELECT 'pg_attrdef'::regclass, a.oid FROM pg_attrdef a JOIN member m ON m.objid = a.adrelid
	UNION SELECT 'pg_class'::regclass, i.indexrelid FROM pg_index i JOIN member m ON m.objid = i.indrelid)
SELECT DISTINCT pg_describe_object(d.refclassid, d.refobjid, 0) FROM part p JOIN pg_depend d USING (classid, objid)
WHERE d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass, 'pg_class'::regclass)
	AND (pg_identify_object(d.refclassid, d.refobjid, 0)).schema !~ '^(paws_.*|pg_catalog)$'
SQL

# Every right on every object of the extension, and on the types of rows, that somebody else than the owner has.
sql(<<'SQL');
CREATE VIEW public.granted AS
	WITH member AS (SELECT classid, objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid WHERE d.deptype = 'e' AND e.extname = 'paws_sync'),
	object AS (
		SELECT 'schema' AS kind, oid, oid::regnamespace::text AS name, coalesce(nspacl, acldefault('n', nspowner)) AS acl, nspowner AS owner FROM pg_namespace
		UNION ALL SELECT 'type', oid, oid::regtype::text, coalesce(typacl, acldefault('T', typowner)), typowner FROM pg_type
		UNION ALL SELECT 'function', oid, oid::regprocedure::text, coalesce(proacl, acldefault('f', proowner)), proowner FROM pg_proc
		UNION ALL SELECT 'relation', oid, oid::regclass::text, relacl, relowner FROM pg_class
		UNION ALL SELECT 'column', attrelid, attrelid::regclass || '.' || attname, attacl, relowner FROM pg_attribute JOIN pg_class c ON c.oid = attrelid)
	SELECT o.kind, o.oid, o.name, a.grantee, a.privilege_type AS privilege, a.is_grantable FROM object o CROSS JOIN LATERAL aclexplode(o.acl) AS a
	WHERE a.grantee <> o.owner AND o.oid IN (SELECT objid FROM member UNION SELECT reltype FROM pg_class JOIN member ON objid = pg_class.oid);
SQL
none_of('SELECT kind, name, privilege, grantee::regrole FROM public.granted WHERE grantee <> 0 LIMIT 5', 'default privileges leave nobody any right');
none_of(<<'SQL', 'everybody has functions behind types and no others');
SELECT kind, name, privilege FROM public.granted g
WHERE grantee = 0 AND NOT EXISTS (SELECT FROM pg_proc p WHERE g.kind = 'function' AND p.oid = g.oid AND NOT prosecdef AND proisstrict AND provolatile = 'i') LIMIT 5
SQL
cmp_ok(sql('SELECT count(*) FROM public.granted WHERE grantee = 0'), '>', 50, 'and those, though default privileges took them');
none_of("SELECT check_name, value FROM paws_sync.doctor() WHERE area = 'objects' AND NOT ok AND check_name <> 'default privileges'", 'doctor agrees');

# ---- Roles with a profile, who may log in, and create schemas and temporary objects, which is more than they need.

my @profiles = lines_of('SELECT DISTINCT profile FROM paws_sync.profiles ORDER BY 1');
my @relations = lines_of(<<'SQL');
SELECT oid::regclass FROM pg_class WHERE relnamespace::regnamespace::text ~ '^paws_' AND relnamespace <> 'paws_sync'::regnamespace AND relkind IN ('r', 'v')
SQL
my @settings = lines_of("SELECT name FROM pg_settings WHERE name LIKE 'paws_sync.%'");
my $owner = sql("SELECT pg_get_userbyid(extowner) FROM pg_extension WHERE extname = 'paws_sync'");
my $rights = "SELECT md5(string_agg(g::text, ' ' ORDER BY g::text)) FROM public.granted g";

cmp_ok(scalar @profiles, '>', 5, 'there are profiles');
cmp_ok(scalar @relations, '>', 25, 'there are tables to ask for');
sql('CREATE ROLE stranger LOGIN; GRANT CREATE, TEMPORARY ON DATABASE hardened TO PUBLIC');
sql("CREATE ROLE $_ LOGIN; CREATE SCHEMA lab_$_ AUTHORIZATION $_; GRANT USAGE ON SCHEMA lab_$_ TO PUBLIC; SELECT paws_sync.grant_profile('$_', '$_')")
  foreach @profiles;
my $rights_before = sql($rights);

foreach my $profile (@profiles)
{
	refused($profile, 'COPY', map {
		("COPY $_ TO STDOUT", "COPY (SELECT 1 FROM $_) TO STDOUT", "COPY $_ FROM STDIN;\n\\.\nSELECT", "COPY (SELECT 1) TO '/dev/null'") } @relations);
	refused($profile, 'prepared statements and cursors', map { ("PREPARE x AS SELECT * FROM $_", "BEGIN; DECLARE x CURSOR FOR TABLE $_; END") } @relations);
	refused($profile, 'to be another', "SET ROLE $owner", "SET SESSION AUTHORIZATION $owner", 'SET ROLE villain', "GRANT $owner TO $profile",
		"ALTER ROLE $profile SUPERUSER", "ALTER ROLE $profile CREATEROLE", map { "SET ROLE $_" } grep { $_ ne $profile } @profiles);
	refused($profile, 'settings', 'SET paws_sync.log_scrub = off', "ALTER ROLE $profile SET paws_sync.log_scrub = off",
		'ALTER DATABASE hardened SET paws_sync.log_scrub = off', map { "ALTER SYSTEM SET $_ TO DEFAULT" } @settings);

	# what it sets for itself is of no use at its next login
	as($profile, "ALTER ROLE $profile SET role = '$owner'; ALTER ROLE $profile SET session_authorization = '$owner'; "
		  . "ALTER ROLE $profile SET search_path = lab_$profile, pg_catalog");
	is((as($profile, 'SELECT current_user, session_user'))[0], "$profile|$profile", "$profile: a new session is its own");
	sql("ALTER ROLE $profile RESET ALL");

	# nor has others what it passes on
	as($profile, join(';', 'ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC', 'ALTER DEFAULT PRIVILEGES IN SCHEMA paws_sync GRANT ALL ON FUNCTIONS TO PUBLIC',
		lines_of("SELECT format('GRANT %s ON %s %s TO PUBLIC; GRANT ALL ON %2\$s %3\$s TO stranger', privilege, CASE kind WHEN 'view' THEN 'table' ELSE kind END, object) "
			  . "FROM paws_sync.profiles WHERE profile = '$profile'")));
	is(sql($rights), $rights_before, "$profile: it can pass nothing on");
}

# ---- Everything that a profile has, called among traps. A call of each function and view, with arguments of the right types.
sql(<<'SQL');
SELECT paws_sync.define_collection('standard', 'standard'), paws_sync.define_collection('safety', 'safety');
CREATE TABLE public.genuine (no serial, type text, token text);
INSERT INTO public.genuine (type, token) SELECT 'subject', paws_sync.subject_for('one')::text;
INSERT INTO public.genuine (type, token) SELECT 'device', paws_sync.register_device(token::paws_sync.subject, 'ios')::text FROM public.genuine, generate_series(1, 2);
SELECT paws_sync.push(token::paws_sync.device, '[
	{"op_id": "11111111-1111-4111-8111-111111111111", "collection": "standard", "doc_id": "21111111-1111-4111-8111-111111111111", "base_revision": 0, "payload": "aGVsbG8="},
	{"op_id": "12111111-1111-4111-8111-111111111111", "collection": "safety", "doc_id": "22111111-1111-4111-8111-111111111111", "base_revision": 0, "payload": "aGVsbG8="}]')
FROM public.genuine WHERE no = 3;
INSERT INTO public.genuine (type, token) SELECT 'cursor', cursor::text FROM (SELECT * FROM public.genuine WHERE no = 2) AS d, paws_sync.pull_crisis(d.token::paws_sync.device);

CREATE FUNCTION public.argument(type oid, name text) RETURNS text LANGUAGE sql AS $$
	SELECT quote_literal(coalesce((SELECT g.token FROM public.genuine g WHERE g.type = t.typname ORDER BY g.no LIMIT 1), CASE
		WHEN t.typname = 'level' THEN 'reduced' WHEN t.typname = 'class' THEN 'bulk' WHEN t.typname = 'tier' THEN 'basic' WHEN t.typname = 'source' THEN 'clinician' WHEN t.typname = 'severity' THEN 'low'
		WHEN t.typname = 'uuid' THEN '11111111-1111-4111-8111-111111111111'
		WHEN t.typname = 'jsonb' THEN '[{"op_id": "13111111-1111-4111-8111-111111111111", "collection": "safety", "doc_id": "23111111-1111-4111-8111-111111111111", "base_revision": 0, "payload": "aGVsbG8="}]'
		WHEN t.typcategory = 'A' THEN '{}' WHEN t.typcategory = 'N' THEN '1000' WHEN t.typname = 'interval' THEN '1 ms' WHEN t.typname = 'timestamptz' THEN '2100-01-01Z'
		WHEN name = 'platform' THEN 'ios' WHEN name = 'region' THEN 'de' WHEN name = 'channel' THEN 'call' WHEN name = 'contact' THEN '112' WHEN name = 'what' THEN 'epochs'
		ELSE 'name' END)) || '::' || format_type(t.oid, NULL)
	FROM pg_type t WHERE t.oid = type
$$;
CREATE VIEW public.call AS
	SELECT p.profile, p.kind, row_number() OVER (PARTITION BY p.profile ORDER BY p.kind, p.object ~ 'revoke_device|forget', p.object) AS n,
		CASE p.kind WHEN 'view' THEN p.object ELSE f.oid::regproc || '(' || coalesce((SELECT string_agg(public.argument(a.type, f.proargnames[a.n]), ', ' ORDER BY a.n)
			FROM unnest(f.proargtypes::oid[]) WITH ORDINALITY AS a (type, n) WHERE a.n <= f.pronargs - f.pronargdefaults), '') || ')' END AS call
	FROM paws_sync.profiles p LEFT JOIN pg_proc f ON f.oid = CASE p.kind WHEN 'function' THEN to_regprocedure(p.object) END
	WHERE p.kind IN ('function', 'view');
SQL
ok(until_sql($node, 'SELECT NOT EXISTS (SELECT FROM paws_queue.operation)', database => 'hardened'), 'operations are applied among traps');
none_of("SELECT who, what FROM theirs.caught LIMIT 5", 'by workers that call none');

# Relations of ours and of the server by whose names somebody could be misled.
my @names = lines_of(<<'SQL');
SELECT DISTINCT quote_ident(relname) FROM pg_class WHERE relnamespace::regnamespace::text ~ '^paws_' AND relkind IN ('r', 'v', 'S')
	OR relname ~ '^pg_(class|proc|type|depend|extension|roles|authid|namespace|settings|attribute)$'
SQL
foreach my $profile (@profiles)
{
	my $lab = "lab_$profile";
	my @calls = lines_of("SELECT call FROM public.call WHERE profile = '$profile' ORDER BY n");
	my $count = @calls;
	my $sql = "SET search_path = pg_catalog;\n";

	# what a role may define over our types
	foreach my $type (lines_of("SELECT object FROM paws_sync.profiles WHERE profile = '$profile' AND kind = 'type'"))
	{
		(my $name = $type) =~ s/.*\.//;
		$sql .= "CREATE FUNCTION $lab.same($type, $type) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM theirs.note(''operator $type''); RETURN true; END';\n"
		  . join('', map { "CREATE OPERATOR $lab.$_ (FUNCTION = $lab.same, LEFTARG = $type, RIGHTARG = $type);\n" } qw(= <> < >))
		  . "CREATE TYPE $lab.$name AS (a text);\n"
		  . "CREATE FUNCTION $lab.$name($lab.$name) RETURNS $type LANGUAGE plpgsql AS 'BEGIN PERFORM theirs.note(''cast $type''); RETURN \$1.a; END';\n"
		  . "CREATE CAST ($lab.$name AS $type) WITH FUNCTION $lab.$name($lab.$name) AS IMPLICIT;\n";
	}
	is((as($profile, $sql))[1], '', "$profile: defines things over the types that it may use");

	$sql = join('', map { "CREATE TEMP TABLE $_ (id bigint, subject_no bigint, device_no bigint, kind text, code integer, name text);\n" } @names)
	  . "SET search_path = $lab, theirs, pg_temp, paws_sync, pg_catalog;\n" . join('', map { "SELECT pg_catalog.count(x) FROM $_ x;\n" } @calls);
	my ($out, $err) = as($profile, $sql);
	is(scalar(() = "$out\n$err" =~ /^\d+$|ERROR/mg), $count, "$profile: makes $count calls among traps");
	unlike($err, qr/ERROR:  (?!22023|PW0[01])/, "$profile: which go through") or diag($err);

	# A function around each, with its owner's rights or the caller's, and a view; and functions around what it may not have.
	$sql = "SET search_path = pg_catalog;\n";
	foreach my $n (1 .. $count)
	{
		my $look = "SELECT pg_catalog.count(x) FROM $calls[$n - 1] x";

		$sql .= "CREATE FUNCTION $lab.definer_$n() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = $lab, theirs, pg_catalog AS \$\$ BEGIN RETURN ($look); END \$\$;\n"
		  . "CREATE FUNCTION $lab.invoker_$n() RETURNS bigint LANGUAGE plpgsql AS \$\$ BEGIN RETURN ($look); END \$\$;\n"
		  . "CREATE VIEW $lab.view_$n AS $look; GRANT SELECT ON $lab.view_$n TO PUBLIC;\n";
	}
	$sql .= "CREATE FUNCTION $lab.table_$_() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS \$\$ BEGIN RETURN (SELECT pg_catalog.count(*) FROM $relations[$_]); END \$\$;\n"
	  foreach 0 .. $#relations;
	is(join('', as($profile, $sql)), '', "$profile: has functions and views of its own");
	as($profile, join('', map { "SELECT $lab.definer_$_();\n" } 1 .. $count));
	refused($profile, 'tables, in a function of its own', map { "SELECT $lab.table_$_()" } 0 .. $#relations);
	refused('stranger', "what $profile has, in a function with the caller's rights", map { "SELECT $lab.invoker_$_()" } 1 .. $count);
	# of a view, tables are read with its owner's rights, but functions are called with the reader's
	refused('stranger', "what $profile has of functions, in a view", map { "TABLE $lab.view_$_" }
		  lines_of("SELECT n FROM public.call WHERE profile = '$profile' AND kind = 'function'"));
	none_of("SELECT DISTINCT who, what FROM theirs.caught WHERE who NOT IN ('$profile', 'stranger') LIMIT 5", "$profile: nothing that was planted is called by another");
	sql('TRUNCATE theirs.caught');
}
as('app', 'SET search_path = theirs, pg_catalog; SELECT count(*) FROM pg_class WHERE oid = 1::oid; SELECT now()');
is(sql("SELECT string_agg(DISTINCT who || ' ' || what, ', ') FROM theirs.caught WHERE what IN ('now', 'oid = oid')"), 'app now, app oid = oid',
	'though the traps do work');

# Who gives profiles, or looks with doctor, is a superuser, with whatever path.
sql('TRUNCATE theirs.caught');
sql('SET search_path = lab_operator, theirs, paws_sync, pg_catalog;'
	  . join(';', map { "SELECT paws_sync.$_" } "grant_profile('stranger', 'auditor')", "revoke_profile('stranger', 'auditor')", qw(doctor() status() manifest() log_posture() key_status()))
	  . join('', map { "; TABLE $_" } lines_of("SELECT object FROM paws_sync.profiles WHERE kind = 'view' GROUP BY object")));
none_of("SELECT DISTINCT who, what FROM theirs.caught LIMIT 5", 'a superuser calls none of it either');

# ---- Leaky functions and operators over views: they see what the view shows and nothing that it hides, and run with the
# rights of who calls them. What is cheap and immutable is called as early as the planner dares.
sql("SELECT paws_sync.set_policy('bulk', 'basic', 'reduced', 4321), paws_sync.set_resource('de', 'krisendienst', 'call', '116123')");
as('operator', <<'SQL');
CREATE FUNCTION lab_operator.leak(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT COST 0.0000001 AS
$$ BEGIN RAISE NOTICE '%: %', current_user, $1; RETURN true; END $$;
CREATE OPERATOR lab_operator.<<< (FUNCTION = lab_operator.leak, RIGHTARG = text);
SQL
foreach my $view (lines_of("SELECT object FROM paws_sync.profiles WHERE profile = 'operator' AND kind = 'view'"))
{
	my @columns = ('v', lines_of("SELECT 'v.' || quote_ident(attname) FROM pg_attribute WHERE attrelid = '$view'::regclass AND attnum > 0"));
	my ($out, $err) = as('operator', "\\set VERBOSITY terse\n" . join('', map { "SELECT FROM $view v WHERE lab_operator.leak($_\::text); SELECT FROM $view v WHERE OPERATOR(lab_operator.<<<) $_\::text;\n"
			  . "SELECT FROM $view v JOIN $view w ON lab_operator.leak($_\::text) LIMIT 1; SELECT FROM $view v GROUP BY $_ HAVING lab_operator.leak($_\::text) ORDER BY lab_operator.leak($_\::text);\n" } @columns));
	my @leaked = $err =~ /NOTICE:  (.*)/g;
	my %shown = map { ("operator: $_" => 1) } map { lines_of("SELECT $_\::text FROM $view v") } @columns;

	cmp_ok(scalar @leaked, '>=', sql("SELECT least(count(*), 1) FROM $view"), "$view: leaky functions are asked");
	is(join("\n", grep { $view =~ /pg_stat/ ? !/^operator: / : !$shown{$_} } @leaked), '', "$view: as who asks, about what is shown alone");
}

# ---- What a caller sets for itself changes nothing of what functions with our rights do: nearly all that anybody may set is
# turned, answers are kept in tables, and shown without it.
my @turned = lines_of(<<'SQL');
SELECT format('SET %I = %L', name, CASE vartype WHEN 'bool' THEN CASE setting WHEN 'on' THEN 'off' ELSE 'on' END
	WHEN 'enum' THEN (SELECT e FROM unnest(enumvals) AS e WHERE e <> setting LIMIT 1) ELSE min_val END)
FROM pg_settings WHERE context = 'user' AND vartype <> 'string' AND name NOT LIKE 'paws%' AND name !~ '^(transaction|default_transaction|debug|trace|log|client|exit_on|check_function'
	'|tcp|zero|ignore|effective_io|backend_flush|ssl|idle|statement_timeout|lock_timeout|max_parallel|vacuum|allow|quote_all)|_mem$|_buffers$|_size$'
SQL
push @turned, "SET DateStyle = 'German, DMY'", 'SET IntervalStyle = sql_standard', "SET TimeZone = 'Asia/Kathmandu'", 'SET bytea_output = escape', 'SET row_security = off';
cmp_ok(scalar @turned, '>', 40, scalar(@turned) . ' settings are turned');
# the subject was forgotten above
sql(<<'SQL');
UPDATE public.genuine SET token = paws_sync.register_device((SELECT token::paws_sync.subject FROM public.genuine WHERE no = 1), 'web')::text WHERE type = 'device';
SELECT paws_sync.push(token::paws_sync.device, '[{"op_id": "12111111-1111-4111-8111-111111111111", "collection": "safety", "doc_id": "22111111-1111-4111-8111-111111111111",
	"base_revision": 0, "payload": "aGVsbG8="}]') FROM public.genuine WHERE no = 3;
SQL
my $fixed = "RESET ALL; SET DateStyle = ISO; SET TimeZone = UTC;\n";
foreach my $profile (qw(app operator auditor))
{
	my @calls = lines_of("SELECT call FROM public.call WHERE profile = '$profile' AND call !~ 'stat_|_progress_|key|job|topic|submit|claim|complete|cancel|extend|snooze|release|fail|redrive|discard|pause|resume|dead_letters|log_posture|doctor|status|register|revoke|forget|rotate|push|ack|set_|drop_|define_|raise_|resolve_'");
	my $keep = join('', map { "CREATE TEMP TABLE kept_$_ AS SELECT * FROM $calls[$_] x;\n" } 0 .. $#calls);
	my $show = join('', map { "TABLE kept_$_;\n" } 0 .. $#calls);
	my ($plain, $error) = as($profile, "$keep$fixed$show");
	my %plain = map { $_ => 1 } split /\n/, $plain;
	my ($out, $err) = as($profile, join('', map { "$_;\n" } @turned) . "$keep$fixed$show");

	is("$error$err", '', "$profile: asks " . scalar(@calls) . ' questions, whatever is set');
	is(join("\n", grep { !$plain{$_} } split /\n/, $out), '', "$profile: and is answered the same");
	cmp_ok(length($plain), '>', 100, "$profile: there are answers");
	is(length($out), length($plain), "$profile: as many");
}

is(sql($rights), $rights_before, 'after all of it nobody has more rights than before');
crash_free($node);
$node->stop;
done_testing();
