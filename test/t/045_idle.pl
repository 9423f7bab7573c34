# An engine that has nothing to do does nothing: it writes no WAL, changes no row, wakes seldom and takes next to no time of the
# processor. What the server itself writes while it idles (checkpoints, lists of running transactions) is told apart by reading it.
use strict;
use warnings;

use PawsLoad;
use PawsNode;
use PawsProbe;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $SECONDS = 10;

plan skip_all => 'this system tells nothing of processes' unless -r "/proc/$$/status";

# As shipped, for tests make everybody look around more often.
my $node = PawsNode->new_node('idle', 'paws_sync.poll_interval' => '1s', 'paws_sync.housekeeping_interval' => '60s', 'autovacuum' => 'off',
	'track_io_timing' => 'off', 'full_page_writes' => 'on');
$node->safe_psql('postgres', 'CREATE EXTENSION pg_walinspect');

# How often the processes of a kind gave up the processor by themselves, which each wake ends with, and clock ticks they used.
sub use_of
{
	my ($kind) = @_;
	my %used = (wakes => 0, ticks => 0);

	foreach my $pid (worker_pids($node, $kind))
	{
		slurp_file("/proc/$pid/status") =~ /^voluntary_ctxt_switches:\s+(\d+)/m or die "no switches of $pid";
		$used{wakes} += $1;
		my ($rest) = slurp_file("/proc/$pid/stat") =~ /^\d+ \(.*\) (.*)/;
		my @field = split / /, $rest;
		$used{ticks} += $field[11] + $field[12];
	}
	return \%used;
}

# After some work, so that it is an engine that has something to remember.
my $load = PawsLoad->new($node, writers => 2, subjects => 2, crisis => 0.2);
$load->begin(30);
$load->finish;
$load->check('before');
# Work that waits for its time is no work yet.
$node->safe_psql('postgres', "SELECT paws_sync.define_topic('letters'); SELECT outcome FROM paws_sync.submit('letters', 'x', not_before => now() + '1 day'::interval)")
  if $node->safe_psql('postgres', "SELECT to_regproc('paws_sync.submit') IS NOT NULL") eq 't';
wait_for_sql($node, 'the house to be kept once', "SELECT batches > 3 FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'scheduler'");
$node->safe_psql('postgres', 'CHECKPOINT');
usleep(2_000_000);

my $tables = "SELECT string_agg(relid || ' ' || n_tup_ins || ' ' || n_tup_upd || ' ' || n_tup_del, ', ' ORDER BY relid) FROM pg_stat_all_tables";
my $rows = $node->safe_psql('postgres', $tables);
my $xid = $node->safe_psql('postgres', 'SELECT pg_snapshot_xmax(pg_current_snapshot())');
my @kinds = split /\n/, $node->safe_psql('postgres', 'SELECT DISTINCT kind FROM paws_sync.pg_stat_paws_sync_workers ORDER BY 1');
my %before = map { $_ => use_of($_) } @kinds;
my $began = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
my $turns = $node->safe_psql('postgres', "SELECT batches FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'scheduler'");
usleep($SECONDS * 1_000_000);
my $ended = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
my %after = map { $_ => use_of($_) } @kinds;
$turns = $node->safe_psql('postgres', "SELECT batches FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'scheduler'") - $turns;

# The server's own: resource managers Standby (running transactions) and XLOG (checkpoints).
my $foreign = $began eq $ended ? '' : $node->safe_psql('postgres',
	"SELECT string_agg(resource_manager || ' ' || record_type, ', ') FROM pg_get_wal_records_info('$began', '$ended') "
	  . "WHERE (resource_manager, record_type) NOT IN (('Standby', 'RUNNING_XACTS'), ('XLOG', 'CHECKPOINT_ONLINE'), ('XLOG', 'CHECKPOINT_SHUTDOWN'))");
is($foreign, '', "no WAL in $SECONDS seconds");
is($node->safe_psql('postgres', 'SELECT pg_snapshot_xmax(pg_current_snapshot())'), $xid, 'no number of a transaction is used');
is($node->safe_psql('postgres', $tables), $rows, 'no row of any table is changed');
cmp_ok($turns, '<=', 2 * $SECONDS, "the scheduler took $turns turns");
cmp_ok($turns, '>', 0, 'it is awake');

# Twice what the intervals say, and room for what the system wakes: without rest it would be hundreds of thousands.
like("@kinds", qr/launcher.*pool.*scheduler/, "workers: @kinds");
foreach my $kind (@kinds)
{
	my $allowed = 2 * (2 * $SECONDS + 10) * scalar worker_pids($node, $kind);
	my $wakes = $after{$kind}{wakes} - $before{$kind}{wakes};
	my $ticks = $after{$kind}{ticks} - $before{$kind}{ticks};

	cmp_ok($wakes, '<=', $allowed, "$kind: woke $wakes times");
	note("$kind: $ticks ticks of the processor");
}

# The stated exception: with a canary, and with nothing but its rows. A round is a few transactions, and none of it is
# counted as anybody's work.
my $others = $node->safe_psql('postgres', "SELECT count(*) FROM paws_crisis.feed");
set_option($node, 'paws_sync.canary_interval', "'1s'");
ok(until_sql($node, 'SELECT canary_rounds >= 5 FROM paws_sync.pg_stat_paws_sync_crisis'), 'the canary can be turned on');
set_option($node, 'paws_sync.canary_interval', 0);
ok(until_sql($node, 'SELECT NOT running FROM paws_crisis.canary ORDER BY hour DESC LIMIT 1'), 'and off');
is($node->safe_psql('postgres', "SELECT count(*) FROM paws_crisis.feed f WHERE device_no <> ALL (ARRAY(SELECT device_no FROM paws_registry.device d "
	  . 'JOIN paws_crisis.canary_device c ON c.device::text = d.device::text))'), $others, 'it writes for itself alone');
my $silence = $node->safe_psql('postgres', 'SELECT pg_snapshot_xmax(pg_current_snapshot())');
usleep(3_000_000);
is($node->safe_psql('postgres', 'SELECT pg_snapshot_xmax(pg_current_snapshot())'), $silence, 'once it is off no number of a transaction is used');

# It has not fallen asleep for good.
$load->begin(5);
$load->finish;
$load->check('after');

$node->stop('immediate');
done_testing();
