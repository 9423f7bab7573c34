# The crisis lane is alone: whatever befalls the tables of queue, care, vault, and later of billing and audit, what a
# person in a crisis needs is answered, by new sessions and old ones, and what waits in the lane's queue is applied.

use strict;
use warnings;

use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use PawsNode;
use PawsProbe;

# Every schema of ours but these two belongs to somebody else.
use constant OTHERS => "n.nspname LIKE 'paws\\_%' AND n.nspname NOT IN ('paws_sync', 'paws_crisis', 'paws_registry')";

my $node = PawsNode->new_node('isolation', 'wal_level' => 'replica', 'max_wal_senders' => 4, 'autovacuum' => 'off',
	'max_standby_streaming_delay' => '-1');
sub rows { return $node->safe_psql('postgres', shift) }

my $subject = new_subject($node, 'one', 'premium');
my ($phone, $tablet) = map { new_device($node, 'one', $_) } 'ios', 'web';
my ($plan, $revision) = (new_uuid(), 0);
paws_push($node, $phone, [ op_json('standard', payload => 'calm'), op_json('bulk') ]);
rows("SELECT paws_sync.define_topic('work')");
rows("SELECT * FROM paws_sync.submit('work', 'x', subject => '$subject')");
wait_applied($node);
my $others = rows('SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = \'r\' AND ' . OTHERS);
cmp_ok($others, '>=', 20, 'there are tables of others');
my $counter = rows("SELECT subject_no FROM paws_registry.subject WHERE subject::text = '$subject'");

# Everything once: new documents, an ordinary one beside them, reading, waiting, the bundle. What is wrong is told.
sub serve_in
{
	my ($run) = @_;
	my $new = new_uuid();
	my $text = 'plan ' . ($revision + 1);
	my $changed = op_json('safety', doc_id => $plan, base_revision => $revision++, payload => $text);
	my @wrong;
	my $expect = sub {
		my ($what, $got, $wanted) = @_;
		push @wrong, "$what: $got" if $got !~ $wanted;
	};

	$expect->('push_crisis', $run->("SELECT string_agg(outcome || ' ' || receipt, ', ') FROM paws_sync.push_crisis('$phone', '[$changed]')"), qr/^accepted applied$/);
	$expect->('push', $run->("SELECT string_agg(outcome || coalesce(' ' || receipt, ''), ', ' ORDER BY item) FROM paws_sync.push('$phone', '["
		. op_json('emergency', doc_id => $new) . ', ' . op_json('standard') . "]')"), qr/^accepted applied, (accepted|limited|rejected)$/);
	$expect->('pull_crisis', $run->("SELECT count(*) FROM paws_sync.pull_crisis('$tablet') WHERE doc_id = '$new' OR convert_from(payload, 'UTF8') = '$text'"), qr/^2$/);
	$expect->('pull_crisis_wait', $run->("SELECT count(*) > 0 FROM paws_sync.pull_crisis_wait('$tablet', NULL, '5 s')"), qr/^t$/);
	$expect->('crisis_bundle', $run->("SELECT count(*) FILTER (WHERE contact = '988') >= 2, count(*) FILTER (WHERE convert_from(payload, 'UTF8') = '$text') "
		. "FROM paws_sync.crisis_bundle('$tablet', 'us')"), qr/^t\|1$/);
	return join '; ', @wrong;
}

# The bound is there so that a test that waits ends; nothing else is said of times here.
my $warm;
sub in_new_session { return eval { $node->safe_psql('postgres', "SET statement_timeout = '20 s'; $_[0]") } // "failed: $@" }
sub in_old_session { return scalar $warm->query($_[0]) }
sub new_warm_session
{
	eval { $warm->quit } if $warm;
	$warm = session($node);
	$warm->query("SET statement_timeout = '20 s'");
	return;
}

# The lane's queue: an operation whose subject's counter is held waits there, is seen, and is applied afterwards.
sub queue_works
{
	my $holder = session($node);
	my $op = op_json('safety');
	my ($id) = $op =~ /"op_id": "([^"]+)"/;

	$holder->query("BEGIN; SELECT 1 FROM paws_crisis.counter WHERE subject_no = $counter FOR UPDATE");
	my $answer = in_new_session("SELECT outcome || ' ' || coalesce(receipt::text, '-') FROM paws_sync.push_crisis('$phone', '[$op]')");
	my $seen = in_new_session("SELECT string_agg(kind, ' ') FROM paws_sync.pull_crisis('$tablet') WHERE op_id = '$id'");
	$holder->query('ROLLBACK');
	$holder->quit;
	my $done = within(30, sub { rows("SELECT count(*) FROM paws_crisis.feed WHERE op_id = '$id'") eq '1' }) ? 'applied' : 'not applied';
	return "$answer, $seen, $done";
}

sub is_served
{
	my ($when) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(serve_in(\&in_new_session), '', "$when: a new session is served");
	is(serve_in(\&in_old_session), '', "$when: so is one that was there before");
	is(queue_works(), 'accepted -, pending, applied', "$when: the lane's queue works");
	return;
}

new_warm_session();
is_served('in peace');

# In one transaction, in a fresh process: the relations that it has locked when all is done.
my @lane = (
	[ push_crisis => "SELECT count(*) FROM paws_sync.push_crisis('$phone', '[" . op_json('safety') . ', ' . op_json('emergency') . "]')" ],
	[ pull_crisis => "SELECT count(*) FROM paws_sync.pull_crisis('$tablet')" ],
	[ pull_crisis_wait => "SELECT count(*) FROM paws_sync.pull_crisis_wait('$tablet', NULL, '1 ms')" ],
	[ crisis_bundle => "SELECT count(*) FROM paws_sync.crisis_bundle('$tablet')" ]);
# where there are signals
push @lane, [ raise_crisis => "SELECT paws_sync.raise_crisis('$subject', 'clinician', 'high')" ]
  if rows("SELECT count(*) FROM pg_proc WHERE proname = 'raise_crisis'") > 0;
my $locked = "SELECT string_agg(DISTINCT n.nspname::text, ' ' ORDER BY n.nspname::text) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
  . "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE l.pid = pg_backend_pid() AND n.nspname LIKE 'paws%'";
foreach my $call (@lane)
{
	my ($name, $sql) = @$call;
	my $schemas = (split /\n/, rows("BEGIN; $sql; $locked; ROLLBACK"))[-1];

	is(join(' ', grep { !/^paws_(crisis|registry)$/ } split / /, $schemas), '', "$name locks relations of crisis and registry alone");
	like($schemas, qr/paws_registry/, '... and the look sees locks');
}
is((split /\n/, rows('BEGIN; ' . join('; ', map { $_->[1] } @lane) . "; SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'; ROLLBACK"))[-1],
	0, 'no advisory lock either');
like((split /\n/, rows("BEGIN; $lane[0][1]; SELECT string_agg(DISTINCT relation::regclass::text, ' ') FROM pg_locks WHERE pid = pg_backend_pid() AND relation::regclass::text = 'paws_crisis.audit'; ROLLBACK"))[-1],
	qr/^paws_crisis\.audit$/, 'the audit row is in it');

# The catalogs: nothing of the lane's tables leads to another schema of ours, and nothing there leads to them.
is(rows("SELECT count(*) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
	  . "WHERE n.nspname = 'paws_crisis' AND contype = 'f'"), 0, 'no foreign key');
is(rows("SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'paws_crisis'"), 0, 'no trigger');
is(rows(<<'SQL'), '', 'no default, check, index, rule or type of the lane depends on the schemas of others');
SELECT string_agg(DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) || ' -> ' || pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid), ', ')
FROM pg_depend d, LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) a, LATERAL pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) b
WHERE (a.identity ~ '\mpaws_crisis\.' OR a.schema = 'paws_crisis') AND (b.identity ~ '\mpaws_(queue|care|vault|billing|audit|billing_audit)\.'
	OR b.schema IN ('paws_queue', 'paws_care', 'paws_vault', 'paws_billing', 'paws_audit', 'paws_billing_audit'))
SQL
is(rows("SELECT string_agg(proname, ' ') FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = 'paws_sync' "
	  . "AND proname IN ('push_crisis', 'pull_crisis', 'pull_crisis_wait', 'crisis_bundle', 'raise_crisis', 'resolve_crisis') AND prosrc ~ 'paws_(queue|care|vault|billing|audit)\\.'"), '',
	'nor does the body of one of its functions name them');

# Locked, each in the strongest mode, the lane's own log as well.
my $locks = session($node);
sub lock_all
{
	my ($which) = @_;
	$locks->query_safe(<<"SQL");
BEGIN;
DO \$\$
DECLARE
	r regclass;
BEGIN
	FOR r IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r' AND ($which) LOOP
		EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', r);
	END LOOP;
END
\$\$;
SQL
	return;
}
lock_all(OTHERS);
is_served('tables of others locked');
$locks->query('ROLLBACK');
my $audited = rows('SELECT count(*) FROM paws_crisis.audit');
lock_all("c.oid = 'paws_crisis.audit'::regclass");
is_served('its log locked');
$locks->query('COMMIT');
is(rows('SELECT count(*) FROM paws_crisis.audit'), $audited, 'no audit row was written');
is(serve_in(\&in_new_session), '', 'afterwards');
my $verified = 'SELECT rows - keyed, late, unkeyed, wrong, doubled, missing, not_written FROM paws_sync.verify_crisis_audit()';
# 2 times (plan, emergency), one that waited, and its application by a worker
is(rows($verified), '0|0|0|0|0|0|6', 'the log tells how many rows are missing');
is(rows('SELECT number FROM paws_crisis.audit WHERE operation = 13'), 6, 'in a row of its own');
is(rows($verified), '0|0|0|0|0|0|6', 'once');
rows('ALTER TABLE paws_crisis.audit RENAME TO aside');
is(serve_in(\&in_new_session), '', 'its log renamed away: a new session is served');
is(serve_in(\&in_old_session), '', 'its log renamed away: an old one too');
rows('ALTER TABLE paws_crisis.aside RENAME TO audit; ALTER TABLE paws_crisis.audit ADD COLUMN note text');
is(serve_in(\&in_old_session), '', 'its log altered');
rows('ALTER TABLE paws_crisis.audit DROP COLUMN note');
is(serve_in(\&in_old_session), '', 'its log with a column that was dropped');
like(log_since($node, 0), qr/audit rows of the crisis lane are missing/, 'the server log was told');

# Locks that a statement takes by itself: rewriting and reindexing the tables of others in a loop.
my $rewriting = "$PostgreSQL::Test::Utils::tmp_check/rewrite.sql";
my $statements = rows("SELECT string_agg(format('VACUUM FULL %s;' || E'\\n' || 'REINDEX TABLE %1\$s;' || E'\\n' || 'ALTER TABLE %1\$s SET (fillfactor = 80);', c.oid::regclass), E'\\n') "
	  . "FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r' AND " . OTHERS);
append_to_file("$rewriting.all", "$statements\n" x 3);
my $rewriter = start_psql($node, "$rewriting.all", "$rewriting.out", "$rewriting.err");
is_served('tables of others rewritten');
waitpid($rewriter, 0);
is($?, 0, 'which went well') or diag(slurp_file("$rewriting.err"));

# A standby serves the bundle while those locks are replayed there, and after the tables are gone; it writes nothing.
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('isolation_standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
lock_all(OTHERS);
$locks->query('SELECT pg_switch_wal()');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
my $bundle = "SET statement_timeout = '20 s'; SELECT count(*) FILTER (WHERE contact = '988') >= 2, count(*) FILTER (WHERE payload IS NOT NULL) > 0 FROM paws_sync.crisis_bundle('$tablet', 'us')";
is($standby->safe_psql('postgres', "SELECT count(*) >= $others FROM pg_locks l JOIN pg_class c ON c.oid = relation JOIN pg_namespace n ON n.oid = relnamespace "
	  . "WHERE mode = 'AccessExclusiveLock' AND relkind = 'r' AND " . OTHERS), 't', 'a standby replays the locks');
is($standby->safe_psql('postgres', $bundle), 't|t', 'and tells a bundle');
is($standby->safe_psql('postgres', "SET statement_timeout = '20 s'; SELECT count(*) > 3 FROM paws_sync.pull_crisis('$tablet')"), 't', 'and a feed');
is((split /\n/, $standby->safe_psql('postgres', "BEGIN; $bundle; SELECT coalesce(pg_current_xact_id_if_assigned()::text, 'none'), pg_is_in_recovery(); COMMIT"))[-1],
	'none|t', 'without a transaction id');
$locks->query('ROLLBACK');
rows("SELECT paws_sync.set_resource('us', 'own_line', 'call', '123')");
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', "SELECT count(*) FROM paws_sync.crisis_bundle('$tablet', 'us') WHERE name = 'own_line'"), 1, 'the table of resources is read');
rows('TRUNCATE paws_crisis.resource');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', $bundle), 't|t', '988 is told with the table empty');
$standby->stop;

# Timeouts of the caller. One that would end the statement in the middle of the lane's own wait does not; one that ends it
# afterwards takes everything back.
my $holder = session($node);
foreach my $timeout (qw(statement_timeout lock_timeout))
{
	my ($op, $late) = (op_json('safety'), op_json('safety'));
	my ($id) = $late =~ /"op_id": "([^"]+)"/;

	$holder->query_safe("BEGIN; SELECT 1 FROM paws_crisis.counter WHERE subject_no = $counter FOR UPDATE");
	is(scalar $warm->query("SET $timeout = '30 ms'; SELECT outcome FROM paws_sync.push_crisis('$phone', '[$op]')"), 'accepted', "$timeout below the lane's wait for a lock");
	$holder->query_safe('ROLLBACK');
	next if $timeout eq 'lock_timeout';
	is(scalar $warm->query("SELECT outcome, pg_sleep(10) FROM paws_sync.push_crisis('$phone', '[$late]')"), '', 'a statement that goes on is ended');
	$warm->query("RESET $timeout");
	is(rows("SELECT count(*) FROM paws_crisis.feed WHERE op_id = '$id'") + rows("SELECT count(*) FROM paws_crisis.operation WHERE op_id = '$id'"), 0, 'and has left nothing');
}
$warm->query('RESET lock_timeout');

# Both at a millisecond: what was acknowledged is there once, what was not is taken when it comes again, once.
my %answer;
$warm->query("SET statement_timeout = '1 ms'; SET lock_timeout = '1 ms'");
foreach my $n (1 .. 300)
{
	my $op = op_json($n % 2 ? 'safety' : 'emergency', payload => "n $n");
	my ($id) = $op =~ /"op_id": "([^"]+)"/;

	$holder->query_safe("BEGIN; SELECT 1 FROM paws_crisis.counter WHERE subject_no = $counter FOR UPDATE") if $n % 50 == 0;
	$answer{$id} = [ $op, scalar $warm->query("SELECT outcome FROM paws_sync.push_crisis('$phone', '[$op]')") ];
	$holder->query_safe('ROLLBACK') if $n % 50 == 0;
}
$warm->query('RESET statement_timeout; RESET lock_timeout');
my $list = join("', '", keys %answer);
my @acknowledged = grep { $answer{$_}[1] eq 'accepted' } keys %answer;
cmp_ok(scalar(@acknowledged), '>', 0, scalar(@acknowledged) . ' of 300 are acknowledged under timeouts of a millisecond');
ok(within(60, sub { rows('SELECT count(*) FROM paws_crisis.operation') eq '0' }), 'nothing waits');
is(rows("SELECT count(*) FROM paws_sync.receipts('$phone', ARRAY['" . join("', '", @acknowledged) . "']::uuid[]) WHERE outcome = 'applied'"), scalar(@acknowledged), 'all of these are applied');
my @again = map { rows("SELECT outcome FROM paws_sync.push_crisis('$phone', '[$answer{$_}[0]]')") } keys %answer;
is(scalar(grep { $_ eq 'duplicate' || $_ eq 'accepted' } @again), 300, 'all are taken when they come again');
is(rows("SELECT count(*), count(DISTINCT op_id) FROM paws_crisis.feed WHERE op_id IN ('$list')"), '300|300', 'each is there once');

# Not a push alone: what each call writes, it writes with time for it, and afterwards the caller's timeouts are as they were.
rows(<<'SQL');
CREATE TABLE noted (what text, lock_timeout text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.noted VALUES (TG_TABLE_NAME || ' ' || TG_OP, current_setting('lock_timeout'));
	PERFORM pg_sleep(0.03);
	RETURN NULL;
END
$$;
SELECT format('CREATE TRIGGER note AFTER INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION note()', r)
FROM unnest(ARRAY['paws_crisis.signal', 'paws_crisis.item', 'paws_crisis.operation', 'paws_registry.device']) r \gexec
SQL
my $item = "(SELECT max(job) FROM paws_sync.crisis_items WHERE state = 'running')";
my $fence = "(SELECT fence FROM paws_crisis.item WHERE id = $item)";
my @timed = (
	[ raise_crisis => "SELECT paws_sync.raise_crisis('$subject', 'self_report', 'high')", 'item INSERT' ],
	[ claim => "SELECT count(*) FROM paws_sync.claim(ARRAY['crisis_response'])", 'item UPDATE' ],
	[ extend => "SELECT paws_sync.extend($item, $fence, '1 min')", 'item UPDATE' ],
	[ complete => "SELECT paws_sync.complete($item, $fence)", 'item UPDATE' ],
	[ resolve_crisis => "SELECT paws_sync.resolve_crisis((SELECT signal FROM paws_sync.crisis_signals LIMIT 1))", 'signal UPDATE' ],
	[ submit => "SELECT count(*) FROM paws_sync.submit('work', 'x', 'emergency', subject => '$subject', key => 'k')", 'item UPDATE' ],
	[ register_device => "SELECT paws_sync.register_device('$subject', 'ios')", 'device INSERT' ],
	[ push => "SELECT outcome FROM paws_sync.push('$phone', '[" . op_json('safety') . "]')", 'operation INSERT' ]);
foreach my $call (@timed)
{
	my ($name, $sql, $write) = @$call;
	my $done = '';

	rows('TRUNCATE noted');
	$holder->query_safe("BEGIN; SELECT 1 FROM paws_crisis.counter WHERE subject_no = $counter FOR UPDATE") if $name eq 'push';
	# what is ended before it gets there is called again; what was done then is noted
	foreach my $try (1 .. 20)
	{
		$warm->query("SET statement_timeout = '20 ms'; SET lock_timeout = '1 ms'");
		$done = scalar $warm->query($sql);
		last if $done ne '';
	}
	is(scalar $warm->query('SHOW lock_timeout'), '1ms', "$name leaves the caller's lock_timeout as it was");
	$warm->query('RESET statement_timeout; RESET lock_timeout');
	$holder->query_safe('ROLLBACK') if $name eq 'push';
	isnt($done, '', '... is not ended by the statement_timeout');
	is(rows("SELECT string_agg(DISTINCT lock_timeout, ' ') FROM noted WHERE what = '$write'"), '200ms', '... nor by that');
}
rows("SELECT format('DROP TRIGGER note ON %s', tgrelid::regclass) FROM pg_trigger WHERE tgname = 'note' \\gexec");
rows('DROP FUNCTION note(); DROP TABLE noted');

# Every limit of every tier at 0, below what the functions would allow.
rows(<<'SQL');
DO $$
DECLARE
	c record;
BEGIN
	ALTER TABLE paws_queue.policy DISABLE TRIGGER ALL;
	ALTER TABLE paws_queue.tier_policy DISABLE TRIGGER ALL;
	FOR c IN SELECT conrelid::regclass AS relation, conname FROM pg_constraint WHERE conrelid IN ('paws_queue.policy'::regclass, 'paws_queue.tier_policy'::regclass) AND contype = 'c' LOOP
		EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.relation, c.conname);
	END LOOP;
	FOR c IN SELECT attrelid::regclass AS relation, attname FROM pg_attribute WHERE attrelid IN ('paws_queue.policy'::regclass, 'paws_queue.tier_policy'::regclass)
		AND attnum > 0 AND NOT attisdropped AND atttypid IN ('int4'::regtype, 'int8'::regtype) LOOP
		EXECUTE format('UPDATE %s SET %I = 0', c.relation, c.attname);
	END LOOP;
END
$$;
SQL
restart_node($node);
new_warm_session();
$holder = session($node);
$locks = session($node);
foreach my $tier (qw(trial basic premium grace_period))
{
	my $person = new_subject($node, "zero $tier", $tier);
	my $device = in_new_session("SELECT paws_sync.register_device('$person', 'ios')");

	like($device, qr/^dev_/, "$tier with every limit at 0: a device is registered");
	is(in_new_session("SELECT crisis_only FROM paws_sync.devices('$person')"), 't', '... for crisis only');
	is(in_new_session("SELECT outcome || ' ' || receipt FROM paws_sync.push_crisis('$device', '[" . op_json('safety') . "]')"), 'accepted applied', '... and served');
	is(in_new_session("SELECT count(*) FROM paws_sync.pull_crisis('$device')"), 1, '... reads');
	is(in_new_session("SELECT count(*) FILTER (WHERE payload IS NOT NULL) FROM paws_sync.crisis_bundle('$device')"), 1, '... has a bundle');
}
is_served('every limit at 0');

# Renamed away: the tables, and then whole schemas.
sub rename_others
{
	my ($from, $to) = @_;
	rows("SELECT format('ALTER TABLE %I.%I RENAME TO %I', nspname, relname, regexp_replace(relname, '^$from', '$to')) FROM pg_class c "
		  . "JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r' AND " . OTHERS . ' \\gexec');
	return;
}
rename_others('', 'away_');
is_served('tables of others renamed away');
rename_others('away_', '');
rows("SELECT format('ALTER SCHEMA %I RENAME TO %I', nspname, 'away_' || nspname) FROM pg_namespace n WHERE " . OTHERS . ' \\gexec');
is_served('schemas of others renamed away');
rows("SELECT format('ALTER SCHEMA %I RENAME TO %I', nspname, substr(nspname, 6)) FROM pg_namespace n WHERE nspname LIKE 'away\\_%' \\gexec");

# Corrupted: first what the columns hold, as far as types and unique indexes let it be.
my $changed = rows(<<"SQL");
CREATE FUNCTION corrupt() RETURNS bigint LANGUAGE plpgsql AS \$\$
DECLARE
	c record;
	done bigint := 0;
BEGIN
	FOR c IN SELECT k.oid::regclass AS relation FROM pg_class k JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r' AND @{[OTHERS]} LOOP
		EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', c.relation);
	END LOOP;
	FOR c IN SELECT k.oid::regclass AS relation, conname FROM pg_constraint, pg_class k JOIN pg_namespace n ON n.oid = relnamespace
		WHERE conrelid = k.oid AND contype = 'c' AND @{[OTHERS]} LOOP
		EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.relation, c.conname);
	END LOOP;
	FOR c IN SELECT k.oid::regclass AS relation, attname, CASE WHEN atttypid = 'int2'::regtype THEN '32767' WHEN atttypid IN ('int4'::regtype, 'int8'::regtype) THEN '-7'
			WHEN atttypid = 'bool'::regtype THEN 'NOT ' || quote_ident(attname) WHEN atttypid = 'timestamptz'::regtype THEN '''294276-01-01'''
			WHEN atttypid = 'uuid'::regtype THEN 'gen_random_uuid()' WHEN atttypid = 'bytea'::regtype THEN '''\\xdead''' ELSE 'NULL' END AS value
		FROM pg_class k JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_attribute ON attrelid = k.oid
		WHERE relkind = 'r' AND attnum > 0 AND NOT attisdropped AND @{[OTHERS]} LOOP
		BEGIN
			EXECUTE format('UPDATE %s SET %I = %s', c.relation, c.attname, c.value);
			done := done + 1;
		EXCEPTION WHEN OTHERS THEN
			NULL;
		END;
	END LOOP;
	RETURN done;
END
\$\$;
SELECT corrupt();
SQL
cmp_ok($changed, '>', 60, "$changed columns of others hold nonsense");
is_served('content of others corrupted');
# the ordinary workers may not come up on that
$node->restart;
new_warm_session();
is_served('after a restart on it');

# Emptied.
rows("SELECT 'TRUNCATE ' || string_agg(c.oid::regclass::text, ', ') FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r' AND " . OTHERS . ' \\gexec');
is_served('tables of others emptied');

# And last the files, while the server is down: noise in each page of each table and index.
my @files = split /\n/, rows("SELECT pg_relation_filepath(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
	  . "WHERE relkind IN ('r', 'i', 'S') AND " . OTHERS . " UNION ALL SELECT pg_relation_filepath(reltoastrelid) FROM pg_class c "
	  . "JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r' AND reltoastrelid <> 0 AND " . OTHERS);
cmp_ok(scalar(@files), '>', 60, scalar(@files) . ' files');
$node->stop;
foreach my $file (map { $node->data_dir . "/$_" } @files)
{
	my $pages = (-s $file || 8192) / 8192;

	open(my $out, '>:raw', $file) or die "$file: $!";
	print $out join('', map { chr(int(rand(255)) + 1) } 1 .. 8192) x $pages;
	close $out;
}
$node->start;
new_warm_session();
is_served('files of others are noise');
is(rows('SELECT rows - keyed, late, unkeyed, wrong, doubled, missing FROM paws_sync.verify_crisis_audit()'), '0|0|0|0|0|0', 'and the lane has told all of it');
crash_free($node);
eval { $warm->quit };
$node->stop('immediate');

done_testing();
