# What holds back vacuum is named, with what it costs: each kind of holder keeps dead rows of ours, is found by doctor() and by the
# view, and is gone from both when it ends. What vacuum itself says of the same rows is compared.

use strict;
use warnings;

use PostgreSQL::Test::BackgroundPsql;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;

my $DEAD = 120_000;

my $node = PawsNode->new_node('horizon', 'wal_level' => 'logical', 'max_wal_senders' => 4, 'max_prepared_transactions' => 2,
	'autovacuum' => 'off', 'wal_receiver_status_interval' => '1s');

# Rows of a hot table that were deleted after the holder began.
sub make_dead
{
	$node->safe_psql('postgres', "INSERT INTO paws_queue.inflight (recorded_at, worker, ids) SELECT '2000-01-01', 1000, '{1}' FROM generate_series(1, $DEAD) n");
	$node->safe_psql('postgres', 'DELETE FROM paws_queue.inflight WHERE worker = 1000');
	return;
}

sub wrong
{
	return $node->safe_psql('postgres', "SELECT string_agg(check_name, ', ' ORDER BY check_name) FROM paws_sync.doctor() WHERE area = 'horizon' AND NOT ok");
}

sub row
{
	my ($kind, $columns) = @_;
	return $node->safe_psql('postgres', "SELECT $columns FROM paws_sync.pg_stat_paws_sync_horizon WHERE kind = '$kind' ORDER BY dead_rows DESC LIMIT 1");
}

# All that there is to say of one holder while it is there, and that vacuum keeps just these rows.
sub is_found
{
	my ($kind, $check, $what, $said, $hint) = @_;

	make_dead();
	is(wrong(), $check, "$what: found");
	my ($value, $advice) = split /\n/, $node->safe_psql('postgres', "SELECT value || E'\\n' || hint FROM paws_sync.doctor() WHERE area = 'horizon' AND check_name = '$check'");
	like($value, $said, "$what: named");
	like($value, qr/: \d+ transactions behind, since \d{4}-\d\d-\d\d \d\d:\d\d, keeps \d{6} dead rows of ours, \d+ (MB|kB)/, "$what: with what it costs");
	like($advice, $hint, "$what: and what to do");
	my ($behind, $since, $dead, $bytes) = split /\|/, row($kind, "transactions, since BETWEEN pg_postmaster_start_time() - '1 s'::interval AND clock_timestamp(), dead_rows, dead_bytes");
	cmp_ok($behind, '>=', 2, "$what: $behind transactions behind");
	is($since, 't', "$what: since when");
	my ($err) = ($node->psql('postgres', 'VACUUM (VERBOSE) paws_queue.inflight'))[2];
	my ($kept) = $err =~ /(\d+) are dead but not yet removable/;
	cmp_ok($kept, '>=', $DEAD, "$what: vacuum keeps $kept rows");
	cmp_ok(abs($dead - $kept), '<', $kept / 50, "$what: $dead are told");
	cmp_ok($bytes, '>', 40 * $dead, "$what: and their bytes");
	return;
}

sub is_gone
{
	my ($what) = @_;

	wait_for_sql($node, 'nobody to hold anything back',
		"SELECT coalesce(max(dead_rows), 0) = 0 FROM paws_sync.pg_stat_paws_sync_horizon", 'SELECT kind, state, transactions, dead_rows FROM paws_sync.pg_stat_paws_sync_horizon');
	is(wrong(), '', "$what: gone");
	$node->safe_psql('postgres', 'VACUUM paws_queue.inflight');
	return;
}

make_dead();
is(wrong(), '', 'dead rows that nobody keeps are nobody\'s fault');
$node->safe_psql('postgres', 'VACUUM paws_queue.inflight');

# Sessions: a snapshot, a cursor, a writer; one that is just busy.
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->set_query_timer_restart();
my $pid = $session->query_safe('SELECT pg_backend_pid()');
$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM paws_care.feed');
is_found('session', 'sessions', 'snapshot', qr/^pid $pid, idle with a snapshot: /, qr/pg_terminate_backend/);
$session->query_safe('COMMIT');
is_gone('snapshot');
$session->query_safe('BEGIN; DECLARE c CURSOR FOR SELECT n FROM generate_series(1, 10) n; FETCH c');
is_found('session', 'sessions', 'cursor', qr/^pid $pid, idle with a snapshot: /, qr/pg_terminate_backend/);
$session->query_safe('COMMIT');
is_gone('cursor');
$session->query_safe('BEGIN; CREATE TABLE written ()');
is_found('session', 'sessions', 'writer', qr/^pid $pid, idle after writing: /, qr/idle_in_transaction_session_timeout/);
$session->query_safe('ROLLBACK');
is_gone('writer');
$session->query_until(qr/begun/, "\\echo begun\nSELECT pg_sleep(600);\n");
wait_for_sql($node, 'the session to be busy', "SELECT state = 'active' AND backend_xmin IS NOT NULL FROM pg_stat_activity WHERE pid = $pid");
is_found('session', 'sessions', 'statement', qr/^pid $pid, active: /, qr/pg_terminate_backend/);
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
is_gone('statement');
$session->query('SELECT 1');
$session->quit;

# Who is idle is told without the server's help: the state is not kept, nor the time.
$node->append_conf('postgresql.conf', 'track_activities = off');
$node->reload;
wait_for_sql($node, 'activities not to be tracked', "SELECT current_setting('track_activities') = 'off'");
$session = $node->background_psql('postgres');
$session->set_query_timer_restart();
$pid = $session->query_safe('SELECT pg_backend_pid()');
$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM paws_care.feed');
is_found('session', 'sessions', 'untracked snapshot', qr/^pid $pid, idle with a snapshot: /, qr/pg_terminate_backend/);

# A session of another database holds nothing of this one with a snapshot, but does once it has written.
$session->query_safe('COMMIT');
is_gone('untracked snapshot');
my $other = $node->background_psql('template1');
$other->set_query_timer_restart();
my $other_pid = $other->query_safe('SELECT pg_backend_pid()');
$other->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class');
make_dead();
is($node->safe_psql('postgres', "SELECT count(*) FROM paws_sync.pg_stat_paws_sync_horizon WHERE pid = $other_pid"), 0, 'a snapshot in another database is no holder');
is(wrong(), '', 'and no fault');
$node->safe_psql('postgres', 'VACUUM paws_queue.inflight');
$other->query_safe('CREATE TEMP TABLE written ()');
make_dead();
like($node->safe_psql('postgres', "SELECT value FROM paws_sync.doctor() WHERE area = 'horizon' AND check_name = 'sessions'"),
	qr/^pid $other_pid, idle with a snapshot: /, 'what writes there is one');
$other->quit;
is_gone('writer elsewhere');

# VACUUM shows a snapshot and holds nothing; it waits here for its turn at a table.
$session->query_safe('BEGIN; LOCK TABLE paws_registry.device IN SHARE UPDATE EXCLUSIVE MODE');
my $vacuum = $node->background_psql('postgres', on_error_stop => 0);
my $vacuum_pid = $vacuum->query_safe('SELECT pg_backend_pid()');
$vacuum->query_until(qr/begun/, "\\echo begun\nVACUUM paws_registry.device;\n");
wait_for_sql($node, 'VACUUM to wait', "SELECT count(*) = 1 FROM pg_locks WHERE pid = $vacuum_pid AND NOT granted");
is($node->safe_psql('postgres', "SELECT (SELECT count(*) FROM pg_stat_activity WHERE pid = $vacuum_pid AND backend_xmin IS NOT NULL), "
	  . "count(*) FILTER (WHERE pid = $vacuum_pid) FROM paws_sync.pg_stat_paws_sync_horizon"), '1|0', 'VACUUM is no holder, though it shows a snapshot');
$session->query_safe('COMMIT');
$vacuum->query_safe('SELECT 1');
$vacuum->quit;

# A prepared transaction.
$session->query_safe("BEGIN; CREATE TABLE written (); PREPARE TRANSACTION 'Jane Doe'");
is_found('prepared transaction', 'prepared transactions', 'prepared', qr/^prepared: /, qr/ROLLBACK PREPARED/);
is(row('prepared transaction', 'pid IS NULL, slot IS NULL, state, holds'), 't|t|prepared|rows', 'it has no process');
unlike($node->safe_psql('postgres', 'SELECT string_agg(d::text, \' \') FROM paws_sync.doctor() d'), qr/Jane/, 'its name is not told, for it is anybody\'s');
$session->query_safe("ROLLBACK PREPARED 'Jane Doe'");
is_gone('prepared');

# A logical slot keeps catalogs.
$node->safe_psql('postgres', "SELECT pg_create_logical_replication_slot('changes', 'pgoutput')");
is(row('replication slot', 'slot, state, holds, dead_rows'), 'changes|inactive|catalogs|0', 'a logical slot keeps catalogs');
like($node->safe_psql('postgres', "SELECT value FROM paws_sync.doctor() WHERE area = 'horizon' AND check_name = 'replication slots'"),
	qr/^slot changes, inactive: \d+ transactions behind, .*keeps rows of catalogs$/, 'and is named');
$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('changes')");

# A standby that feeds back; without a slot, with one, and the slot that it leaves behind.
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\nmax_standby_streaming_delay = -1\n");
$standby->start;
my $reader = $standby->background_psql('postgres');
$reader->set_query_timer_restart();
$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM paws_care.feed');
my $before = $node->safe_psql('postgres', "SELECT pg_current_xact_id()");
wait_for_sql($node, 'feedback', "SELECT count(*) = 1 FROM paws_sync.pg_stat_paws_sync_horizon WHERE kind = 'standby'");
my $sender = $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_replication');
is_found('standby', 'standbys', 'standby', qr/^pid $sender, feedback: /, qr/hot_standby_feedback/);
is($standby->safe_psql('postgres', "SELECT count(*) FILTER (WHERE state = 'idle with a snapshot'), bool_and(since IS NULL OR since < clock_timestamp()) FROM paws_sync.pg_stat_paws_sync_horizon"),
	'1|t', 'and there the session is named that does it');
$reader->query_safe('COMMIT');
is_gone('standby');

$node->safe_psql('postgres', "SELECT pg_create_physical_replication_slot('of_standby')");
$standby->append_conf('postgresql.conf', "primary_slot_name = 'of_standby'\n");
$reader->quit;
$standby->restart;
$reader = $standby->background_psql('postgres');
$reader->set_query_timer_restart();
$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM paws_care.feed');
wait_for_sql($node, 'feedback through the slot', "SELECT count(*) = 1 FROM paws_sync.pg_stat_paws_sync_horizon WHERE slot = 'of_standby' AND kind = 'standby'");
$sender = $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_replication');
is_found('standby', 'standbys', 'standby with a slot', qr/^slot of_standby, pid $sender, feedback: /, qr/hot_standby_feedback/);
$standby->stop('immediate');
wait_for_sql($node, 'the slot to be left', "SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'of_standby'");
is_found('replication slot', 'replication slots', 'slot', qr/^slot of_standby, inactive: /, qr/pg_drop_replication_slot/);
$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('of_standby')");
is_gone('slot');

# A table that somebody has locked is left out of the count, and holds nobody up.
$session->query_safe('BEGIN; LOCK TABLE paws_queue.inflight IN ACCESS EXCLUSIVE MODE');
is($node->safe_psql('postgres', "SET statement_timeout = '60s'; SELECT count(*) FROM paws_sync.pg_stat_paws_sync_horizon WHERE pid = " . $session->query_safe('SELECT pg_backend_pid()')),
	1, 'a locked table does not hold it up');
$session->query_safe('ROLLBACK');
$session->quit;

# Who reads the view in a transaction with one snapshot holds something too.
is($node->safe_psql('postgres', 'SELECT count(*) FROM paws_sync.pg_stat_paws_sync_horizon WHERE pid = pg_backend_pid()'), 0, 'who asks is no holder');
is($node->safe_psql('postgres', "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM paws_sync.pg_stat_paws_sync_horizon WHERE pid = pg_backend_pid()"),
	1, 'unless in a transaction with one snapshot');
is($node->safe_psql('postgres', "SELECT horizon, rows FROM (SELECT holder AS horizon, dead_rows AS rows FROM paws_sync.horizon_cost('{NULL,3}')) x ORDER BY 1"),
	"1|0\n2|0", 'of nothing nothing is kept');
is($node->safe_psql('postgres', "SELECT count(*) FROM paws_sync.horizon_cost(NULL) UNION ALL SELECT count(*) FROM paws_sync.horizon_cost('{}')"), "0\n0", 'nor asked');

$node->stop('immediate');
done_testing();
