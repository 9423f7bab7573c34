# Crisis signals where it hurts: every ordinary table locked, a backlog, workers and server killed, no keys, a standby,
# connections that idle; and that what a person in a crisis waits for is served first.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('signals', 'fsync' => 'on', 'paws_sync.crisis_response_time' => '2s', 'paws_sync.max_wait_with_snapshot' => '60s', 'wal_level' => 'replica', 'max_wal_senders' => 4, 'max_connections' => '60');
my %token = (anna => new_subject($node, 'anna', 'trial'), ben => new_subject($node, 'ben', 'basic'));
my ($phone, $tablet) = map { new_device($node, 'anna') } 1 .. 2;
my $other = new_device($node, 'ben');

sub rows { return $node->safe_psql('postgres', shift) }
sub subject { my ($name) = @_; return "'$token{$name}'::paws_sync.subject" }
sub raise { my ($name, $severity, $source) = @_; return 'SELECT paws_sync.raise_crisis(' . subject($name) . ", '" . ($source // 'self_report') . "', '$severity')" }
sub resolve_all { rows('SELECT count(paws_sync.resolve_crisis(signal)) FROM paws_sync.crisis_signals; SELECT count(paws_sync.cancel(job)) FROM paws_sync.crisis_items'); return }

# What a session that waited for an item got.
sub finish_wait
{
	my ($session) = @_;
	my $said = $session->query('SELECT 1');
	return $said =~ /claimed (-\d+) (\d+)/ ? ($1, $2) : ();
}

my $ordinary = rows("SELECT string_agg(c.oid::regclass::text, ', ' ORDER BY c.oid) FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text = ANY ('{paws_queue,paws_care,paws_vault}')");
cmp_ok(scalar(split /, /, $ordinary), '>', 20, 'there are tables to lock');

# Every ordinary table is locked ACCESS EXCLUSIVE: the signal is raised, told, claimed, worked on and resolved all the
# same, by sessions that are new and by ones that are not.
rows("SELECT paws_sync.define_topic('calls')");
my $warm = session($node);
$warm->query_safe("SELECT count(*) FROM paws_sync.claim('{calls,crisis_response}')");
my $waiter = session($node);
start_query($waiter, q{SELECT 'claimed ' || job || ' ' || fence FROM paws_sync.claim_wait('{crisis_response}', timeout => '60 s')});
my $both = session($node);
my $device = session($node);
my $cursor = rows(qq{SELECT coalesce((SELECT "cursor"::text FROM paws_sync.pull_crisis('$tablet') LIMIT 1), '')});
my $from = $cursor eq '' ? 'NULL' : "'$cursor'";
start_query($device, "SELECT 'told ' || kind || ' ' || code FROM paws_sync.pull_crisis_wait('$tablet', $from, '60 s')");
my $locker = session($node);
$locker->query_safe("BEGIN; LOCK TABLE $ordinary IN ACCESS EXCLUSIVE MODE");
start_query($both, q{SELECT 'claimed ' || job || ' ' || fence FROM paws_sync.claim_wait('{calls,crisis_response}', timeout => '60 s')});
usleep(200_000);
my $quick = "SET statement_timeout = '5s'; ";
my $signal = rows($quick . raise('anna', 'imminent'));
like($signal, qr/^[0-9a-f-]{36}$/, 'raised with every ordinary table locked');
like($device->query('SELECT 1'), qr/told signal imminent/, 'a waiting device is told');
my $job;
my $fence;
# two wait for items; there is one: whoever has it says so, the other one goes on waiting
ok(within(30, sub { rows("SELECT bool_or(claimed) FROM paws_sync.crisis_signals") eq 't' }), 'a waiting responder has its item');
rows($quick . raise('ben', 'imminent'));
my @first = finish_wait($waiter);
my @second = finish_wait($both);
is(scalar(@first) + scalar(@second), 4, 'and the next one goes to the other, who waits for ordinary jobs as well');
isnt($first[0], $second[0], 'each has its own');
is(rows($quick . "SELECT paws_sync.extend($first[0], $first[1], '10 min')"), 'extended', 'extend');
is(rows($quick . "SELECT paws_sync.release($first[0], $first[1])"), 'released', 'release');
like($warm->query("SELECT 'again ' || job || ' ' || fence FROM paws_sync.claim('{calls,crisis_response}', 10)"), qr/again $first[0] /, 'claim in a session that claimed before');
is(rows($quick . "SELECT count(*) FROM paws_sync.claim('{crisis_response}', 10)"), '0', 'claim in a new session: what is held is not had');
is(rows($quick . "SELECT count(*) FROM paws_sync.claim('{calls,crisis_response}', 10)"), '0', 'with an ordinary topic, which does not answer');
is(rows($quick . "SELECT outcome FROM paws_sync.submit('calls', 'ring her', 'emergency', " . subject('anna') . ')'), 'submitted', 'submit with a class of the crisis lane');
like(rows($quick . "SELECT topic || ' ' || level || ' ' || convert_from(payload, 'UTF8') FROM paws_sync.claim('{calls}', 10)"), qr/^calls crisis_emergency ring her$/, 'and it is claimed');
is(rows($quick . "SELECT state FROM paws_sync.job_status($second[0])"), 'running', 'job_status');
is(rows($quick . "SELECT paws_sync.complete($second[0], $second[1])"), 'completed', 'complete');
is(rows($quick . "SELECT paws_sync.complete_many(ARRAY[$second[0]], ARRAY[$second[1]])"), "($second[0],lost)", 'complete_many');
is(rows($quick . "SELECT paws_sync.cancel($first[0])"), 'cancelled', 'cancel');
is(rows($quick . "SELECT paws_sync.resolve_crisis('$signal')"), 't', 'resolve_crisis');
is(rows($quick . 'SELECT count(*) FROM paws_sync.crisis_signals'), '1', 'the view of signals');
# what a raise touches: nothing of these
my $locks = rows('BEGIN; ' . raise('anna', 'high') . "; SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE l.pid = pg_backend_pid() AND c.relnamespace::regnamespace::text = ANY ('{paws_queue,paws_care,paws_vault}'); ROLLBACK");
is((split /\n/, $locks)[-1], '0', 'a raise locks nothing of the ordinary lane');
$locker->query_safe('ROLLBACK');
resolve_all();

# Some of them locked, after what is kept of them changed: responders who also serve an ordinary topic have items of it.
foreach my $case ([ topic => "SELECT paws_sync.define_topic('others')" ], [ paused_level => "SELECT paws_sync.pause_level(1::paws_sync.level), paws_sync.resume_level(1::paws_sync.level)" ],
	[ tier_policy => "SELECT paws_sync.set_tier_policy('trial', ops_per_second => 100)" ])
{
	my ($table, $change) = @$case;
	$warm->query_safe("SELECT count(*) FROM paws_sync.claim('{calls}')") foreach 1 .. 2;
	rows($change);
	$locker->query_safe("BEGIN; LOCK TABLE paws_queue.$table IN ACCESS EXCLUSIVE MODE");
	start_query($warm, "SET statement_timeout = '30s'; SELECT 'own ' || convert_from(payload, 'UTF8') FROM paws_sync.claim_wait('{calls}', 1, timeout => '20 s')");
	is(rows($quick . "SELECT outcome FROM paws_sync.submit('calls', 'ring $table', 'emergency', " . subject('anna') . ')'), 'submitted', "$table locked: submit");
	like($warm->query('SELECT 1'), qr/own ring $table/, '… and who waits for the topic has it');
	$locker->query_safe('ROLLBACK');
	resolve_all();
}

# A claim that is not committed, and then dies: whoever passed over the item has it, and nobody looks for it by the clock.
set_option($node, 'paws_sync.poll_interval', "'60s'");
foreach my $end (qw(claim resolve))
{
	my $aborted = rows(raise('anna', 'low'));
	my $first = session($node);
	my $dies = $first->query_safe('SELECT pg_backend_pid()');
	$first->query_safe('BEGIN; ' . ($end eq 'claim' ? "SELECT count(*) FROM paws_sync.claim('{crisis_response}')" : "SELECT paws_sync.resolve_crisis('$aborted')"));
	my $second = session($node);
	my $waits = $second->query_safe('SELECT pg_backend_pid()');
	start_query($second, q{SELECT 'claimed ' || job || ' ' || fence FROM paws_sync.claim_wait('{crisis_response}', timeout => '50 s')});
	ok(until_sql($node, "SELECT wait_event = 'Extension' FROM pg_stat_activity WHERE pid = $waits"), "$end: one waits");
	rows("SELECT pg_terminate_backend($dies)");
	ok(until_sql($node, "SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $waits", seconds => 20), '… and is woken when the other one dies');
	is(scalar(my @got = finish_wait($second)), 2, '… to have it');
	resolve_all();
}
set_option($node, 'paws_sync.poll_interval', "'100ms'");

# What nobody claims in time is escalated: marked, in the log, and told to whoever listens.
my $listener = session($node);
$listener->query_safe('LISTEN paws_sync_alarm');
my $log_from = -s $node->logfile;
rows(raise('anna', 'imminent', 'hotline_contact'));
ok(within(30, sub { rows('SELECT escalated FROM paws_sync.crisis_signals') eq 't' }), 'an item that nobody claims is escalated');
is(rows('SELECT level || \' \' || (escalated_at >= deadline) FROM paws_sync.crisis_items'), 'crisis_emergency true', 'after its deadline');
ok(within(10, sub { slurp_file($node->logfile, $log_from) =~ /WARNING:  crisis_item_unclaimed/ }), 'the log has a warning with a stable word');
my $count = () = slurp_file($node->logfile, $log_from) =~ /crisis_item_unclaimed/g;
is($count, 1, 'once');
like($listener->query('SELECT 1'), qr/"paws_sync_alarm" with payload "crisis_item_unclaimed"/, 'and whoever listens is told');
# while nobody can be told, it is escalated, and told later
my $crisis_errors = "SELECT sum(errors) FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'crisis'";
my $release = hold_notify($node);
my $errors = rows($crisis_errors);
rows(raise('ben', 'imminent', 'clinician'));
ok(until_sql($node, "SELECT escalated FROM paws_sync.crisis_signals WHERE source = 'clinician'"), 'an item is escalated while nobody can be notified');
ok(until_sql($node, "SELECT ($crisis_errors) > $errors"), '… which fails');
$release->();
ok(within(30, sub { $listener->query('SELECT 1') =~ /crisis_item_unclaimed/ }), '… and is done later');
rows("SELECT paws_sync.resolve_crisis(signal) FROM paws_sync.crisis_signals WHERE source = 'clinician'");
rows(raise('ben', 'low', 'clinician'));
is(rows("SELECT escalated FROM paws_sync.crisis_signals WHERE severity = 'low'"), 'f', 'a patient one is not');
# attempts that fail escalate before the deadline
my $failing = rows("SELECT job FROM paws_sync.crisis_items WHERE level::text = 'crisis_data'");
foreach my $attempt (1 .. 5)
{
	rows("SELECT paws_sync.fail(job, fence, '0') FROM paws_sync.claim('{crisis_response}', 10) WHERE job = $failing");
	rows('UPDATE paws_crisis.item SET claimed_at = NULL, claimed_until = NULL');
}
ok(within(30, sub { rows("SELECT escalated FROM paws_sync.crisis_signals WHERE severity = 'low'") eq 't' }), 'one that fails five times is');
resolve_all();

# A signal ends by itself. The workers are killed meanwhile.
my $expiring = rows(raise('anna', 'moderate'));
rows("UPDATE paws_crisis.signal SET expires_at = clock_timestamp() + interval '1 s' WHERE signal_id = '$expiring'");
rows('SELECT pg_terminate_backend(pid) FROM paws_sync.pg_stat_paws_sync_workers WHERE kind IN (\'crisis\', \'scheduler\') AND pid IS NOT NULL');
ok(within(60, sub { rows("SELECT state FROM paws_crisis.signal WHERE signal_id = '$expiring'") eq '3' }), 'an expired signal is ended by the workers that follow');
resolve_all();

# Carried to the ordinary lane: the waiting operations of a person in a crisis pass a backlog, and the work is raised
# from the commit of the signal on, through a crash, and not any more when it is resolved.
rows("SELECT paws_sync.pause_level(l::integer::paws_sync.level) FROM generate_series(1, 8) l");
sub backlog
{
	my ($device, $collection, $n) = @_;
	return rows("SELECT count(*) FROM paws_sync.push('$device', (SELECT jsonb_agg(jsonb_build_object('op_id', gen_random_uuid(), 'doc_id', gen_random_uuid(), 'collection', '$collection', 'base_revision', 0, 'payload', 'eA==')) FROM generate_series(1, $n)))");
}
rows("SELECT paws_sync.set_tier_policy(t, ops_per_second => 100000, ops_burst => 100000, bytes_per_second => 1000000000, bytes_burst => 1000000000) FROM unnest('{grace_period,premium,basic,trial}'::paws_sync.tier[]) t");
backlog($other, 'interactive', 500) foreach 1 .. 10;
backlog($phone, 'background', 20);
rows("SELECT paws_sync.define_topic('work')");
my $submitted = rows("SELECT count(*) FROM generate_series(1, 50), paws_sync.submit('work', 'ben', 'session', " . subject('ben') . ')');
rows("SELECT paws_sync.submit('work', 'anna', 'background', " . subject('anna') . ')');
rows(raise('anna', 'high'));
ok(within(30, sub { rows('SELECT count(*) FROM paws_queue.raised') eq '1' }), 'the scheduler carries the signal over');
kill_postmaster($node);
my $no = rows("SELECT subject_no FROM paws_registry.subject s WHERE s.subject OPERATOR(paws_sync.=) " . subject('anna'));
is(rows('SELECT subject_no FROM paws_queue.raised'), $no, 'it is there after a crash');
my $probe = "SELECT string_agg(convert_from(payload, 'UTF8'), ' ') FROM paws_sync.claim('{work}')";
is(rows('SELECT count(*) FROM paws_queue.operation'), '5020', 'and so is all that waits');
rows("SELECT paws_sync.resume_level(l::integer::paws_sync.level) FROM generate_series(1, 8) l");
ok(within(60, sub { rows("SELECT count(*) FROM paws_queue.operation WHERE subject_no = $no") eq '0' }), 'the operations of the person in a crisis are applied');
ok(within(120, sub { rows('SELECT count(*) FROM paws_queue.operation') eq '0' }), 'and then all');
# in the order of transactions
my $before = rows("SELECT count(*) FROM paws_care.document d WHERE d.subject_no <> $no AND d.xmin::text::bigint < (SELECT max(a.xmin::text::bigint) FROM paws_care.document a WHERE a.subject_no = $no)");
cmp_ok($before, '<', 2500, "they were before most of those that were more urgent and came first ($before were before)");
ok(within(30, sub { rows("BEGIN; $probe; ROLLBACK") eq 'anna' }), 'a job of theirs is claimed before more urgent ones');
rows("SELECT paws_sync.resolve_crisis(signal) FROM paws_sync.crisis_signals");
ok(within(30, sub { rows('SELECT count(*) FROM paws_queue.raised') eq '0' }), 'resolved: nobody is raised');
ok(within(10, sub { rows("BEGIN; $probe; ROLLBACK") eq 'ben' }), 'and everybody has their level');
# while the table of raised subjects is locked the signal waits for it, and nothing of the lane does
$locker = session($node);
$locker->query_safe('BEGIN; LOCK TABLE paws_queue.raised IN ACCESS EXCLUSIVE MODE');
my $held = rows($quick . raise('anna', 'high'));
usleep(300_000);
$locker->query_safe('ROLLBACK');
ok(within(60, sub { rows('SELECT count(*) FROM paws_queue.raised') eq '1' }), 'it is carried over when the lock is gone');

# A device too many is registered for the crisis lane alone, and promoted when there is room.
rows("SELECT paws_sync.set_tier_policy('trial', max_devices => 2)");
my $extra = new_device($node, 'anna');
is(rows('SELECT count(*) FILTER (WHERE crisis_only) FROM paws_sync.devices(' . subject('anna') . ')'), '1', 'a device too many is registered, and listed as what it is');
is(rows("SELECT string_agg(outcome || ' ' || coalesce(code, '-'), ', ' ORDER BY item) FROM paws_sync.push('$extra', '[" . op_json('safety') . ', ' . op_json('standard') . "]')"), 'accepted -, rejected crisis_only', 'its crisis items are served, others are told why not');
is(rows("SELECT string_agg(DISTINCT kind, ' ') FROM paws_sync.pull('$extra') WHERE kind = 'signal'"), 'signal', 'and it is told of the signal');
rows("SELECT paws_sync.revoke_device('$tablet')");
is(rows("SELECT outcome FROM paws_sync.push('$extra', '[" . op_json('standard') . "]')"), 'accepted', 'with room it is as any other');

# After a crash claims are what they were: they stand in the row.
resolve_all();
rows(raise('ben', 'high'));
($job, $fence) = split /\|/, rows("SELECT job, fence FROM paws_sync.claim('{crisis_response}', 1, '10 min')");
kill_postmaster($node);
is(rows("SELECT count(*) FROM paws_sync.claim('{crisis_response}', 10)"), '0', 'after a crash an item that is claimed is not handed out again');
is(rows("SELECT paws_sync.complete($job, $fence)"), 'completed', 'and may be completed');
ok(within(60, sub { rows("SELECT count(*) FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'crisis' AND pid IS NOT NULL") eq '2' }), 'the workers are back');
resolve_all();

# A hundred at once, of one person and of a hundred: one signal and one item for each.
rows(join ';', map { "SELECT paws_sync.register_device(paws_sync.subject_for('many $_'), 'ios')" } 1 .. 100);
my $script = $node->basedir . '/raise.sql';
append_to_file($script, "\\set n random(1, 100)\nSELECT paws_sync.raise_crisis(paws_sync.subject_for('many ' || :n), 'self_report', 'high');\n");
my ($out, $err) = run_command([ 'pgbench', '-n', '-c', 16, '-j', 2, '-t', 60, '-f', $script, '-h', $node->host, '-p', $node->port, '-U', 'postgres', 'postgres' ]);
like($out, qr{number of transactions actually processed: 960/960}, 'sixteen raise for a hundred persons at once') or diag($err);
is(rows('SELECT count(*) = count(DISTINCT subject_no) AND count(*) > 50 FROM paws_crisis.signal WHERE state = 1 AND twin = 0'), 't', 'one signal for each');
is(rows("SELECT count(*) - count(DISTINCT signal) FROM paws_sync.crisis_items WHERE topic = 'crisis_response'"), '0', 'and one item');
my $open = rows("SELECT count(*) FROM paws_sync.crisis_items WHERE topic = 'crisis_response'");
append_to_file("$script.claim", "SELECT paws_sync.complete(job, fence) FROM paws_sync.claim('{crisis_response}', 2);\n");
($out, $err) = run_command([ 'pgbench', '-n', '-c', 16, '-j', 2, '-t', 20, '-f', "$script.claim", '-h', $node->host, '-p', $node->port, '-U', 'postgres', 'postgres' ]);
is(rows("SELECT count(*) FROM paws_sync.crisis_items WHERE topic = 'crisis_response'"), '0', 'sixteen responders have them all');
cmp_ok(rows("SELECT count(*) FROM paws_crisis.item WHERE state = 4 AND signal_id IS NOT NULL"), '>=', $open, 'each completed once');

# Without keys: whoever is known is served. What was submitted meanwhile is claimed when they are back, not before.
rows("SELECT paws_sync.define_topic('keyless')");
my $stranger = $node->safe_psql('postgres', "SELECT paws_sync.subject_for('a stranger')");
my $keys = $node->basedir . '/keys';
rename "$keys/$_.root", "$keys/$_.away" foreach qw(care crisis billing);
$node->restart;
my $keyless = rows(raise('anna', 'imminent'));
like($keyless, qr/^[0-9a-f-]{36}$/, 'without keys a signal is raised for somebody who is known');
like(rows("SELECT string_agg(kind || ' ' || coalesce(code, ''), ', ') FROM paws_sync.pull_crisis('$phone')"), qr/^signal imminent, document sealed/, 'and told, the plan sealed');
($job, $fence) = split /\|/, rows("SELECT job, fence FROM paws_sync.claim('{crisis_response}') WHERE convert_from(payload, 'UTF8')::jsonb ->> 'signal' = '$keyless'");
is(rows("SELECT paws_sync.complete($job, $fence)"), 'completed', 'a responder has its item, and completes it');
is(rows("SELECT outcome FROM paws_sync.submit('keyless', 'ring them', 'emergency', " . subject('anna') . ", key => 'k')"), 'submitted', 'submit with a class of the crisis lane');
is(rows("SELECT count(*) FROM paws_sync.claim('{crisis_response}', 10)"), '0', 'nothing more');
my ($status, $said, $error) = $node->psql('postgres', "SELECT paws_sync.raise_crisis('$stranger', 'self_report', 'high')");
like($error, qr/ERROR:  .*key/, 'somebody unknown is not taken without keys') or diag($error);
($status, $said, $error) = $node->psql('postgres', "SELECT * FROM paws_sync.claim('{keyless}')");
isnt($status, 0, 'nor are jobs handed out');
rename "$keys/$_.away", "$keys/$_.root" foreach qw(care crisis billing);
$node->restart;
ok(within(60, sub { rows("SELECT count(*) FROM paws_crisis.item WHERE state = 2 AND envelope IS NOT NULL AND seal IS NULL") eq '0' }), 'when they are back, what was submitted is sealed like the rest');
rows("UPDATE paws_crisis.item SET available_at = NULL");
is(rows("SELECT convert_from(payload, 'UTF8') FROM paws_sync.claim('{keyless}')"), 'ring them', 'and claimed');
is(rows("SELECT paws_sync.resolve_crisis('$keyless')"), 't', 'the signal ends like any other');

$node->stop;
done_testing();
