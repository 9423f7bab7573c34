# Commits that a synchronous standby would hold up: paws_sync.crisis_standby_wait decides for those of the crisis lane, and for
# nothing else. No standby is there, so whatever waits for one waits for ever.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('crisis_standby', 'fsync' => 'on', 'max_wal_senders' => 4, 'wal_level' => 'replica');
new_subject($node, 'one', 'premium');
my $phone = new_device($node, 'one');
my $tablet = new_device($node, 'one');
$node->safe_psql('postgres', 'CREATE TABLE plain (n integer)');

sub rows { return $node->safe_psql('postgres', shift) }
sub push_sql { my ($function, @classes) = @_; return "SELECT string_agg(outcome::text, ' ' ORDER BY item) FROM paws_sync.$function('$phone', '[" . join(',', map { op_json($_) } @classes) . "]')" }
sub changes { return rows("SELECT count(*) FROM paws_sync.pull_crisis('$tablet') WHERE kind = 'change'") }

my $session = session($node);
my $pid = $session->query_safe('SELECT pg_backend_pid()');

# True if it waits for a standby; then it is cancelled, which ends the wait and leaves the commit.
my $done = 0;
sub waits
{
	my ($sql) = @_;
	my $waited = 0;
	$done++;
	start_query($session, "$sql;\nSELECT 'done $done'");
	my $ended = within(
		20,
		sub {
			my ($event, $last) = split /\|/, rows("SELECT coalesce(wait_event, ''), query LIKE '%done $done''%' AND state = 'idle' FROM pg_stat_activity WHERE pid = $pid");
			return $last eq 't' if $waited || $event ne 'SyncRep';
			$waited = 1;
			rows("SELECT pg_cancel_backend($pid)");
			return 0;
		});
	die "it did not end: $sql" unless $ended;
	return $waited;
}

set_option($node, 'synchronous_standby_names', "'*'");
is(rows('SHOW paws_sync.crisis_standby_wait'), 'on', 'the lane waits, if nobody says otherwise');
ok(waits(push_sql('push_crisis', 'safety')), 'a crisis push waits');
is(changes(), 1, 'what is committed here is here');
set_option($node, 'paws_sync.crisis_standby_wait', 'off');
ok(!waits(push_sql('push_crisis', 'safety')), 'off: it does not');
ok(!waits(push_sql('push', 'emergency')), 'nor by push');
ok(!waits(push_sql('push', 'emergency', 'standard')), 'nor with ordinary work beside it');
is(changes(), 4, 'all are there');
my $subject = new_subject($node, 'one');
ok(!waits("SELECT paws_sync.raise_crisis('$subject', 'self_report', 'high')"), 'nor does a signal');
my $item = "(SELECT max(id) FROM paws_crisis.item WHERE claimed_until IS NOT NULL)";
my $fence = "(SELECT fence FROM paws_crisis.item WHERE id = $item)";
ok(!waits("SELECT count(*) FROM paws_sync.claim(ARRAY['crisis_response'])"), 'nor does a claim of its item');
ok(!waits("SELECT paws_sync.extend($item, $fence)"), 'nor does extending that');
ok(!waits("SELECT paws_sync.complete($item, $fence)"), 'nor does completing it');
is(rows("SELECT state FROM paws_crisis.item WHERE subject_no IS NOT NULL"), 4, 'which is done');
ok(!waits("SELECT count(*) FROM paws_sync.submit('work', 'x', 'emergency')"), 'nor does an item that is submitted');
ok(!waits("SELECT paws_sync.cancel((SELECT max(id) FROM paws_crisis.item WHERE state = 2))"), 'nor does cancelling it');
ok(!waits("SELECT paws_sync.register_device('$subject', 'web')"), 'nor does a registration');

# What waits in the lane's queue is applied, and what the workers tell of is told.
my $holder = session($node);
$holder->query_safe("BEGIN; SELECT 1 FROM paws_crisis.counter WHERE subject_no = (SELECT subject_no FROM paws_registry.subject WHERE subject::text = '$subject') FOR UPDATE");
ok(!waits(push_sql('push_crisis', 'safety')), 'nor does a push whose subject is held');
$holder->query_safe('ROLLBACK');
ok(within(20, sub { rows('SELECT count(*) FROM paws_crisis.operation') eq '0' }), 'a crisis worker applies it');
my $workers = "backend_type LIKE 'paws_sync%' AND (backend_type LIKE '%crisis%' OR backend_type LIKE '%canary%')";
cmp_ok(rows("SELECT count(*) FROM pg_stat_activity WHERE $workers"), '>=', 2, 'those that serve the lane are there');
$holder->query_safe('LISTEN paws_sync_alarm');
ok(!waits("SELECT paws_sync.raise_crisis('$subject', 'hotline_contact', 'high')"), 'an item');
$node->safe_psql('postgres', "SET synchronous_commit = local; UPDATE paws_crisis.item SET deadline = now() - interval '1 hour' WHERE state = 2");
ok(!waits("SELECT paws_sync.raise_crisis('$subject', 'hotline_contact', 'imminent')"), 'that nobody claimed in time');
ok(within(20, sub { $holder->query('SELECT 1') =~ /crisis_item_unclaimed/ }), 'is told of');
$holder->quit;
ok(within(20, sub { rows("SELECT count(*) FROM pg_stat_activity WHERE $workers AND wait_event = 'SyncRep'") eq '0' }), 'none of them waits for the standby');

ok(waits('INSERT INTO plain VALUES (1)'), 'the same session waits in its next transaction');
ok(waits(push_sql('push', 'standard')), 'an ordinary push waits');
ok(!waits('BEGIN; ' . push_sql('push_crisis', 'safety') . '; INSERT INTO plain VALUES (2); COMMIT'), 'what else the transaction does goes with it');
$session->query('BEGIN; ' . push_sql('push_crisis', 'safety') . '; ROLLBACK');
ok(waits('INSERT INTO plain VALUES (3)'), 'a rollback leaves nothing of it');
ok(waits('INSERT INTO plain VALUES (4)'), 'nor does anything else');
like($session->query('SHOW synchronous_commit'), qr/^on$/m, 'the setting of the session is as it was');

# What is acknowledged was heard of by the standby, whatever the session's own commits wait for.
$session->query('SET synchronous_commit = off');
ok(waits(push_sql('push', 'standard')), 'an ordinary push waits in a session that waits for nothing');
ok(!waits('INSERT INTO plain VALUES (5)'), 'and its other commits do not');

# Without the standby's word it is still on the disk.
ok(!waits(push_sql('push_crisis', 'safety')), 'a session that waits for nothing');
my $before = changes();
$node->safe_psql('postgres', "ALTER SYSTEM SET synchronous_standby_names = ''");
kill_postmaster($node);
is(changes(), $before, 'has it after a crash');
ok(depths_agree($node), 'depths agree');
eval { $session->quit };
$node->stop;
done_testing();
