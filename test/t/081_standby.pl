# A streaming standby: it serves what only reads, says of everything else that it is read-only, and goes on
# where the primary stood when it is promoted.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $primary = PawsNode->new_node('primary', 'wal_level' => 'replica', 'max_wal_senders' => 4, 'hot_standby' => 'on',
	'paws_sync.max_wait_with_snapshot' => '60s');
my $subject = new_subject($primary, 'one', 'premium');
my $phone = new_device($primary, 'one');
my $tablet = new_device($primary, 'one', 'web');
my $first = op_json('standard', payload => 'first');
paws_push($primary, $phone, [ $first, op_json('safety', payload => 'plan') ]);
wait_applied($primary);

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

sub caught_up
{
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	return;
}

# Reading.
caught_up();
my ($rows, $cursor) = paws_pull($standby, $tablet);
is(join(' ', sort map { $_->{payload} } @$rows), 'first plan', 'pull on the standby');
my ($same, $from_primary) = paws_pull($primary, $tablet);
is($cursor, $from_primary, 'gives the cursor that the primary gives');
is($standby->safe_psql('postgres', "SELECT paws_sync.subject_for('one')"), $subject, 'subject_for works');
is($standby->safe_psql('postgres', "SELECT count(*) FROM paws_sync.devices('$subject')"), 2, 'devices too');
is($standby->safe_psql('postgres', "SELECT count(*) FROM paws_sync.sync_status('$subject')"), 2, 'sync_status too');
my ($op_id) = $first =~ /"op_id": "([^"]+)"/;
is($standby->safe_psql('postgres', "SELECT outcome FROM paws_sync.receipts('$phone', ARRAY['$op_id']::uuid[])"), 'applied', 'receipts too');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM paws_sync.policy'), 32, 'the policy is readable');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM paws_sync.collections'), 8, 'so are collections');
like($standby->safe_psql('postgres', 'SELECT component, state FROM paws_sync.status()'), qr/keys care\|ready/, 'status() answers');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM paws_sync.pg_stat_paws_sync_workers'), 0, 'no worker runs');
is($standby->safe_psql('postgres', "SELECT kind, convert_from(payload, 'UTF8') FROM paws_sync.pull_crisis('$tablet')"), 'change|plan', 'pull_crisis answers');
is($standby->safe_psql('postgres', "SELECT \"cursor\" FROM paws_sync.pull_crisis('$tablet')"),
	$primary->safe_psql('postgres', "SELECT \"cursor\" FROM paws_sync.pull_crisis('$tablet')"), 'with the cursor that the primary gives');
is($standby->safe_psql('postgres', "SELECT count(*) FROM paws_sync.pull_crisis('$tablet', '$cursor')"), 0, 'from a cursor too');
my $bundle = "SELECT kind, region, name, channel, contact, priority, collection, doc_id, revision, payload, code, changed_at FROM paws_sync.crisis_bundle('$tablet', 'gb')";
is($standby->safe_psql('postgres', $bundle), $primary->safe_psql('postgres', $bundle), 'crisis_bundle answers as the primary does');
is($standby->safe_psql('postgres', "SELECT count(*) FILTER (WHERE contact = '988') >= 2, max(convert_from(payload, 'UTF8')) FROM paws_sync.crisis_bundle('$tablet')"), 't|plan',
	'988 and the plan are in it');
$standby->safe_psql('postgres', 'SELECT * FROM paws_sync.resources; SELECT * FROM paws_sync.pg_stat_paws_sync_lanes; SELECT * FROM paws_sync.pg_stat_paws_sync_latency');
is($standby->safe_psql('postgres', "SELECT string_agg(check_name, ', ') FROM paws_sync.doctor() "
	  . "WHERE area IN ('status', 'keys', 'workers', 'objects', 'minimisation') AND NOT ok"), '', 'doctor() finds that in order');
is($standby->safe_psql('postgres', 'SELECT count(*) > 100 FROM paws_sync.manifest()'), 't', 'the manifest is readable');
pass('statistics answer');

# Writing.
my %writing = (
	push => "paws_sync.push('$phone', '[" . op_json('standard') . "]')",
	'push of the crisis lane' => "paws_sync.push('$phone', '[" . op_json('safety') . "]')",
	push_crisis => "paws_sync.push_crisis('$phone', '[" . op_json('safety') . "]')",
	set_resource => "paws_sync.set_resource('us', 'line', 'call', '123')",
	drop_resource => "paws_sync.drop_resource('gb', 'samaritans', 'call')",
	push_many => "paws_sync.push_many('$phone', ARRAY[gen_random_uuid()], ARRAY['standard'], ARRAY[gen_random_uuid()], ARRAY[0], ARRAY['x'::bytea])",
	register_device => "paws_sync.register_device('$subject', 'ios')",
	'register_device of a new subject' => "paws_sync.register_device(paws_sync.subject_for('new'), 'ios')",
	revoke_device => "paws_sync.revoke_device('$tablet')",
	ack => "paws_sync.ack('$tablet', '$cursor')",
	define_collection => "paws_sync.define_collection('more', 'standard')",
	set_entitlement => "paws_sync.set_entitlement('$subject', 'basic')",
	set_policy => "paws_sync.set_policy('standard', 'basic', 'standard', 700)");
foreach my $name (sort keys %writing)
{
	error_like($standby, "SELECT * FROM $writing{$name}", '25006', undef, "$name is refused on a standby");
}

# The same in a read-only transaction of the primary.
error_like($primary, "BEGIN READ ONLY;\nSELECT * FROM $writing{push}", '25006', undef, 'push is refused in a read-only transaction');
error_like($primary, "BEGIN READ ONLY;\nSELECT * FROM $writing{push_crisis}", '25006', undef, 'push_crisis too');
is($primary->safe_psql('postgres', "BEGIN READ ONLY; SELECT count(*) FROM paws_sync.pull('$tablet'); COMMIT"), 2, 'pull is not');
is($primary->safe_psql('postgres', "BEGIN READ ONLY; SELECT count(*) FROM paws_sync.pull_crisis('$tablet'); COMMIT"), 1, 'nor is pull_crisis');
is($primary->safe_psql('postgres', "BEGIN READ ONLY; SELECT count(*) > 10 FROM paws_sync.crisis_bundle('$tablet'); COMMIT"), 't', 'nor is crisis_bundle');
is($primary->safe_psql('postgres', "BEGIN READ ONLY; SELECT count(*) FROM paws_sync.pull_wait('$tablet', '$cursor', '1 ms'); COMMIT"), 0, 'nor is pull_wait');

# Waiting.
foreach my $collection ('standard', 'safety')
{
	my $waiter = session($standby);
	my $pid = $waiter->query_safe('SELECT pg_backend_pid()');
	start_query($waiter, "SELECT convert_from(payload, 'UTF8') FROM paws_sync.pull_wait('$tablet', '$cursor', '50 s')");
	ok(until_sql($standby, "SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $pid"), 'pull_wait waits on the standby');
	paws_push($primary, $phone, [ op_json($collection, payload => "seen in $collection") ]);
	ok(until_sql($standby, "SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $pid", seconds => 20), 'and ends when something has come');
	is($waiter->query('SELECT 1'), "seen in $collection\n1", 'with what came');
	$waiter->quit;
	caught_up();
	($rows, $cursor) = paws_pull($standby, $tablet, $cursor);
}

# Promotion, with work that nobody has done yet.
set_option($primary, 'paws_sync.databases', "''");
ok(has_workers($primary, 'postgres', 0), 'workers of the primary off');
is($primary->safe_psql('postgres', push_some($phone, 25)), 25, 'work is left undone');
caught_up();
my $open = session($standby);
is($open->query_safe("SELECT count(*) FROM paws_sync.pull('$tablet', '$cursor')"), 0, 'a session from before');
$primary->stop('immediate');
$standby->promote;
ok(has_workers($standby, 'postgres', 2), 'promoted, it has workers');
ok(until_sql($standby, 'SELECT NOT EXISTS (SELECT FROM paws_queue.operation)'), 'which do what was left');
ok(until_sql($standby, 'SELECT sum(depth) = 0 FROM paws_sync.pg_stat_paws_sync_lanes'), 'depths are right');
($rows, $cursor) = paws_pull($standby, $tablet, $cursor);
is(join(' ', map { "$_->{kind} $_->{payload}" } @$rows), join(' ', ('change hello') x 25), 'the cursor of before goes on, nothing twice, no reset');
is($open->query_safe("SELECT count(*) FROM paws_sync.pull_wait('$tablet', '$cursor', '1 ms')"), 0, 'so does the session');
my $json = op_json('standard', payload => 'from there');
is($open->query_safe("SELECT outcome FROM paws_sync.push('$phone', '[$json]')"), 'accepted', 'it pushes now');
wait_applied($standby);
($rows, $cursor) = paws_pull($standby, $tablet, $cursor);
is($rows->[0]{payload}, 'from there', 'and others get it');
my ($again) = paws_push($standby, $phone, [$first]);
is("$again->{outcome} $again->{receipt}", 'duplicate applied', 'receipts from before are known');
my $waiter = session($standby);
my $pid = $waiter->query_safe('SELECT pg_backend_pid()');
start_query($waiter, "SELECT convert_from(payload, 'UTF8') FROM paws_sync.pull_wait('$tablet', '$cursor', '50 s')");
ok(until_sql($standby, "SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $pid"), 'pull_wait waits');
is($open->query_safe("SELECT outcome FROM paws_sync.push('$phone', '[" . op_json('standard', payload => 'woken') . "]')"), 'accepted', 'for what is pushed');
is($waiter->query('SELECT 1'), "woken\n1", 'and gets it');
$_->quit foreach $open, $waiter;
ok(depths_agree($standby), 'depths agree with the table');

crash_free($standby);
$standby->stop;
done_testing();
