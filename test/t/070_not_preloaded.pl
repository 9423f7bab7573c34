# The library is not in shared_preload_libraries: nothing crashes, everything that needs shared memory says
# which setting is missing, and what is stored stays readable.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $HINT = qr/"shared_preload_libraries"/;

my $node = PawsNode->new_node('bare');
my $subject = new_subject($node, 'one', 'premium');
my $device = new_device($node, 'one');
my $other = new_device($node, 'one', 'web');
paws_push($node, $device, [ op_json('standard', payload => 'kept'), op_json('safety') ]);
wait_applied($node);
my (undef, $cursor) = paws_pull($node, $device);
set_option($node, 'paws_sync.databases', "''");
ok(has_workers($node, 'postgres', 0), 'workers off');
is($node->safe_psql('postgres', push_some($device, 3)), 3, 'something waits');
$node->stop;
$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
ok($node->start, 'a server starts with our settings and without our library');

# CREATE EXTENSION and LOAD.
$node->safe_psql('postgres', 'CREATE DATABASE empty');
$node->safe_psql('empty', 'CREATE EXTENSION pgcrypto');
error_like($node, 'CREATE EXTENSION paws_sync', '55000', $HINT, 'CREATE EXTENSION fails and says why', database => 'empty');
is($node->safe_psql('empty', "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'paws%'"), 0, 'and leaves nothing');
my $loading = error_of($node, "LOAD 'paws_sync';\nSELECT 1");
is("$loading->{sqlstate}$loading->{output}", '1', 'LOAD raises no error');
is(error_of($node, "LOAD 'paws_sync';\nLOAD 'paws_sync';\nSHOW paws_sync.pool_size")->{sqlstate}, '', 'nor does a second one');

# What needs no shared memory.
is($node->safe_psql('postgres', "SELECT '$subject'::paws_sync.subject"), $subject, 'tokens are read and written');
is($node->safe_psql('postgres', "SET search_path = paws_sync; SELECT '$device'::device = '$device'::device, '$device'::device = '$other'::device"), 't|f', 'compared');
is($node->safe_psql('postgres', "SELECT count(*) FROM (SELECT device FROM paws_registry.device GROUP BY device ORDER BY device) d"), 2, 'sorted and hashed');
is($node->safe_psql('postgres', "SET enable_seqscan = off; SELECT count(*) FROM paws_registry.device WHERE device OPERATOR(paws_sync.=) '$device'"), 1, 'found by index');
is($node->safe_psql('postgres', "SELECT '$cursor'::paws_sync.cursor"), $cursor, 'cursors are read and written');
is($node->safe_psql('postgres', "SELECT 'interactive'::paws_sync.level, '10'::paws_sync.level::integer"), 'interactive|10', 'and levels');
my $copy = $node->basedir . '/tokens.bin';
$node->safe_psql('postgres', "COPY (SELECT device FROM paws_registry.device ORDER BY device) TO '$copy' (FORMAT binary)");
is($node->safe_psql('postgres', "SET search_path = paws_sync; CREATE TEMP TABLE t (device paws_sync.device); COPY t FROM '$copy' (FORMAT binary); SELECT count(*) FROM t JOIN paws_registry.device USING (device)"),
	2, 'in binary too');
error_like($node, "SELECT 'sub_nonsense'::paws_sync.subject", '22P02', undef, 'what is no token is refused as ever');
is($node->safe_psql('postgres', 'SELECT count(*) FROM paws_sync.policy'), 32, 'views over tables work');
is($node->safe_psql('postgres', 'UPDATE paws_registry.device SET platform = platform; TRUNCATE paws_care.entitlement; SELECT 1'), 1,
	'what is changed by hand is told to nobody, for nobody remembers it');
is($node->safe_psql('postgres', 'SELECT count(*) FROM paws_sync.collections'), 8, 'all of them');

# Everything else, each in a session of its own and once more in one that has the library loaded.
my $nothing = "'{}'";
my %call = (
	subject_for => "paws_sync.subject_for('x')",
	register_device => "paws_sync.register_device('$subject', 'ios')",
	revoke_device => "paws_sync.revoke_device('$device')",
	devices => "paws_sync.devices('$subject')",
	define_collection => "paws_sync.define_collection('more', 'standard')",
	set_entitlement => "paws_sync.set_entitlement('$subject', 'basic')",
	set_policy => "paws_sync.set_policy('standard', 'basic', 'standard', 700)",
	set_tier_policy => "paws_sync.set_tier_policy('basic', 7)",
	pause_level => "paws_sync.pause_level('bulk')",
	resume_level => "paws_sync.resume_level('bulk')",
	horizon_since => 'paws_sync.horizon_since(3)',
	horizon_counts => 'paws_sync.horizon_counts(1)',
	horizon_cost => "paws_sync.horizon_cost('{3}')",
	doctor_horizon => 'paws_sync.doctor_horizon()',
	define_topic => "paws_sync.define_topic('more')",
	drop_topic => "paws_sync.drop_topic('more')",
	topics => 'paws_sync.topics()',
	pause_topic => "paws_sync.pause_topic('more')",
	resume_topic => "paws_sync.resume_topic('more')",
	submit => "paws_sync.submit('more', '')",
	submit_many => "paws_sync.submit_many('more', ARRAY[''::bytea])",
	claim => "paws_sync.claim('{more}')",
	claim_wait => "paws_sync.claim_wait('{more}')",
	complete => 'paws_sync.complete(1, 1)',
	complete_many => "paws_sync.complete_many('{1}', '{1}')",
	extend => "paws_sync.extend(1, 1, '1 s')",
	fail => 'paws_sync.fail(1, 1)',
	release => 'paws_sync.release(1, 1)',
	snooze => "paws_sync.snooze(1, 1, '1 s')",
	cancel => 'paws_sync.cancel(1)',
	job_status => 'paws_sync.job_status(1)',
	dead_letters => "paws_sync.dead_letters('more')",
	redrive => "paws_sync.redrive('more')",
	push => "paws_sync.push('$device', '[]')",
	push_many => "paws_sync.push_many('$device', $nothing, $nothing, $nothing, $nothing, $nothing)",
	pull => "paws_sync.pull('$device')",
	pull_wait => "paws_sync.pull_wait('$device')",
	push_crisis => "paws_sync.push_crisis('$device', '[]')",
	pull_crisis => "paws_sync.pull_crisis('$device')",
	pull_crisis_wait => "paws_sync.pull_crisis_wait('$device')",
	raise_crisis => "paws_sync.raise_crisis('$subject', 'self_report', 'low')",
	resolve_crisis => "paws_sync.resolve_crisis('00000000-0000-4000-8000-000000000001')",
	crisis_bundle => "paws_sync.crisis_bundle('$device')",
	set_resource => "paws_sync.set_resource('us', 'line', 'call', '123')",
	drop_resource => "paws_sync.drop_resource('us', 'line', 'call')",
	list_resources => 'paws_sync.list_resources()',
	verify_crisis_audit => 'paws_sync.verify_crisis_audit()',
	receipts => "paws_sync.receipts('$device', $nothing)",
	ack => "paws_sync.ack('$device', '$cursor')",
	sync_status => "paws_sync.sync_status('$subject')",
	status => 'paws_sync.status()',
	manifest => 'paws_sync.manifest()',
	doctor => 'paws_sync.doctor()',
	doctor_probe => 'paws_sync.doctor_probe()',
	doctor_server => 'paws_sync.doctor_server()',
	doctor_stored => 'paws_sync.doctor_stored()',
	doctor_horizon => 'paws_sync.doctor_horizon()',
	horizon_since => 'paws_sync.horizon_since(3)',
	horizon_counts => 'paws_sync.horizon_counts(1)',
	horizon_cost => "paws_sync.horizon_cost('{3}')",
	keyring => 'paws_sync.keyring()',
	rotate_keys => "paws_sync.rotate_keys('epochs')",
	adopt_keys => 'paws_sync.adopt_keys()',
	forget => "paws_sync.forget('$subject')",
	erasure_status => "paws_sync.erasure_status('$subject')",
	verify_certificate => "paws_sync.verify_certificate('x')",
	key_status => 'paws_sync.key_status()',
	stat_reset => 'paws_sync.stat_reset()',
	check_subject => "paws_sync.check_subject('$subject')",
	check_preload => 'paws_sync.check_preload()',
	resources => 'paws_sync.resources',
	pg_stat_paws_sync_horizon => 'paws_sync.pg_stat_paws_sync_horizon',
	stat_crisis => 'paws_sync.stat_crisis()',
	stat_crisis_refusals => 'paws_sync.stat_crisis_refusals()',
	stat_alarms => 'paws_sync.stat_alarms()',
	pg_stat_paws_sync_crisis => 'paws_sync.pg_stat_paws_sync_crisis',
	pg_stat_paws_sync_alarms => 'paws_sync.pg_stat_paws_sync_alarms',
	pg_stat_paws_sync_latency => 'paws_sync.pg_stat_paws_sync_latency',
	pg_stat_paws_sync_memory => 'paws_sync.pg_stat_paws_sync_memory',
	pg_stat_paws_sync_lanes => 'paws_sync.pg_stat_paws_sync_lanes',
	pg_stat_paws_sync_workers => 'paws_sync.pg_stat_paws_sync_workers');
foreach my $name (sort keys %call)
{
	error_like($node, "SELECT * FROM $call{$name}", '55000', $HINT, "$name says what is missing");
}
my @missed = grep { my $e = error_of($node, "LOAD 'paws_sync';\nSELECT * FROM $call{$_}"); $e->{sqlstate} ne '55000' || $e->{hint} !~ $HINT } sort keys %call;
is("@missed", '', 'the same after LOAD');
my $uncovered = $node->safe_psql('postgres', <<'SQL');
SELECT string_agg(DISTINCT p.proname, ' ') FROM pg_proc p
JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'paws_sync'
WHERE p.prosecdef
SQL
is(join(' ', grep { !$call{$_} && !/^(stat|log)_/ && !/^(doctor_objects|certificate_key|paused_level_changed)$/ } split / /, $uncovered), '', 'no function was forgotten here');

is($node->safe_psql('postgres', 'SELECT bool_and(ok) FROM paws_sync.doctor_objects()'), 't', 'what reads the catalogs alone answers');
is($node->safe_psql('postgres', "SELECT ok FROM paws_sync.log_posture() WHERE setting = 'shared_preload_libraries'"), 'f', 'log_posture() answers, and finds it');

# A dump needs none of it, nor does DROP.
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $node->basedir . '/bare.sql' ], 'pg_dump works');
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE postgres');
$node->safe_psql('copy', 'DROP EXTENSION paws_sync');
is($node->safe_psql('copy', "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'paws%'"), 0, 'so does DROP EXTENSION');
$node->safe_psql('postgres', 'DROP DATABASE copy');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'paws%'"), 0, 'no worker runs');

# And back.
$node->stop;
$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "'paws_sync'");
$node->start;
set_option($node, 'paws_sync.databases', "'postgres'");
ok(has_workers($node, 'postgres', 2), 'preloaded again, there are workers');
wait_applied($node);
my ($rows) = paws_pull($node, $other);
is(scalar(grep { $_->{payload} eq 'kept' } @$rows), 1, 'what was stored is read');
is(scalar @$rows, 5, 'what waited was applied');
crash_free($node);
$node->stop;
done_testing();
