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
