# Disks that are full: announced before, an explicit refusal at the wall, and nothing that was acknowledged is lost.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use PawsNode;
use PawsProbe;

my $disks = $ENV{PAWS_SMALL_DISKS} // '';
plan skip_all => 'nobody may mount a small disk here: a full disk is NOT TESTED' if $disks eq '';

my $node = PawsNode->new_node('full_disk', 'fsync' => 'on', 'autovacuum' => 'off', 'paws_sync.storage_alarm' => '20MB', 'min_wal_size' => '32MB',
	'max_wal_size' => '48MB', 'paws_sync.canary_interval' => '1s', 'restart_after_crash' => 'off');
new_subject($node, 'one', 'trial');
my $device = new_device($node, 'one');
my $tablet = new_device($node, 'one', 'web');

# Tables and WAL go to disks of their own.
$node->stop;
foreach my $part ([ 'base', 'data' ], [ 'pg_wal', 'wal' ])
{
	my ($folder, $disk) = ($node->data_dir . "/$part->[0]", "$disks/$part->[1]");
	system('mv', $folder, "$disk/moved") == 0 or die "mv: $!";
	symlink "$disk/moved", $folder or die "symlink: $!";
}
$node->start;
wait_workers($node);

sub rows { return $node->safe_psql('postgres', shift) }
sub raised { my ($alarm) = @_; return rows("SELECT raised FROM paws_sync.pg_stat_paws_sync_alarms WHERE alarm = '$alarm'") }
sub free_mb { my ($disk) = @_; my @line = split ' ', (split /\n/, `df -P -B 1M '$disk'`)[1]; return $line[3] }

# Takes all but so many MB of a disk; 0: until nothing more fits.
sub fill
{
	my ($disk, $leave) = @_;
	my $take = free_mb($disk) - $leave;

	system('dd', 'if=/dev/zero', "of=$disk/filler", 'bs=1M', "count=$take", 'oflag=append', 'conv=notrunc', 'status=none') if $take > 0;
	system("dd if=/dev/zero of='$disk/filler.rest' bs=4k status=none 2>/dev/null") if $leave == 0;
	return;
}
sub empty { my ($disk) = @_; unlink "$disk/filler", "$disk/filler.rest"; return }

# Pushes until it fails, at most so many; the ids of what was acknowledged, and the error.
my @acknowledged;
sub push_until_failure
{
	my ($most, $between) = @_;

	foreach my $i (1 .. $most)
	{
		my $id = new_uuid();
		my $e = error_of($node, "SELECT 'took ' || outcome FROM paws_sync.push_crisis('$device', '[" . op_json('safety', op_id => $id, payload => 'x' x 100_000) . "]')");

		return $e if $e->{sqlstate} ne '' || $e->{output} !~ /took accepted/;
		push @acknowledged, $id;
		$between->() if $between;
	}
	return undef;
}

# Each acknowledged operation has a receipt, and one feed entry.
sub all_there
{
	my ($name) = @_;
	my $ids = join(',', @acknowledged);
	is(rows("SELECT count(*) FILTER (WHERE outcome = 'applied') FROM paws_sync.receipts('$device', '{$ids}')"), scalar @acknowledged, "$name: all that was acknowledged has its receipt");
	is(rows("SELECT count(*) FROM paws_crisis.feed WHERE op_id = ANY ('{$ids}')"), scalar @acknowledged, "$name: once");
	is(rows("SELECT count(*) FROM paws_crisis.document WHERE op_id = ANY ('{$ids}') AND length(envelope) > 100000"), scalar @acknowledged, "$name: whole");
	return;
}

# Data.
is(raised('storage_data'), 'f', 'with ' . free_mb("$disks/data") . ' MB free there is no alarm');
fill("$disks/data", 10);
ok(until_sql($node, "SELECT raised FROM paws_sync.pg_stat_paws_sync_alarms WHERE alarm = 'storage_data'"), 'below 20 MB there is');
is(raised('storage_wal'), 'f', '… for data alone');
is(push_until_failure(3), undef, 'while operations are still taken');
fill("$disks/data", 0);
my $e = push_until_failure(200);
is($e->{sqlstate}, '53100', 'at the wall the refusal says why');
like($e->{hint}, qr/Check free disk space/, '… with a hint');
cmp_ok(rows("SELECT count FROM paws_sync.pg_stat_paws_sync_crisis_refusals WHERE code = 'storage'"), '>', 0, '… and is counted');
ok(until_sql($node, "SELECT raised FROM paws_sync.pg_stat_paws_sync_alarms WHERE alarm = 'refused'"), 'refused is raised');
all_there('disk full');
cmp_ok(rows("SELECT count(*) FROM paws_sync.pull_crisis('$tablet')"), '>', 0, 'devices read');
is(rows("SELECT count(*) > 0 FROM paws_sync.crisis_bundle('$tablet') WHERE contact = '988'"), 't', 'hotlines are told');
empty("$disks/data");
is(push_until_failure(3), undef, 'with room again operations are taken');
all_there('room again');
ok(until_sql($node, "SELECT state IN ('ok', 'degraded') FROM paws_sync.pg_stat_paws_sync_crisis"), 'and the canary arrives');
crash_free($node, 'nothing crashed');

# WAL: the server stops. What was acknowledged before is there when it is back.
is(raised('storage_wal'), 'f', 'with ' . free_mb("$disks/wal") . ' MB free for WAL there is no alarm');
fill("$disks/wal", 12);
ok(until_sql($node, "SELECT raised FROM paws_sync.pg_stat_paws_sync_alarms WHERE alarm = 'storage_wal'"), 'below 20 MB there is');
is(push_until_failure(3), undef, 'while operations are still taken');
like(log_since($node, 0), qr/WARNING:  alarm storage_wal is raised.*\n.*\n.*HINT:  Make room where pg_wal is/, 'the log says what to do');
fill("$disks/wal", 0);
$e = push_until_failure(2000);
ok(defined $e, 'in the end nothing is taken any more, ' . scalar(@acknowledged) . ' were');
ok(within(60, sub { !-e $node->data_dir . '/postmaster.pid' }), 'the server stopped');
empty("$disks/wal");
$node->{_pid} = undef;
$node->start;
wait_workers($node);
all_there('WAL was full');
is(push_until_failure(3), undef, 'with room for WAL operations are taken');
ok(until_sql($node, "SELECT state IN ('ok', 'degraded') FROM paws_sync.pg_stat_paws_sync_crisis"), 'and the canary arrives');
is(rows('SELECT available_1d < 1 FROM paws_sync.pg_stat_paws_sync_crisis'), 't', 'the outage counts');
$node->stop;
done_testing();
