# Epochs are destroyed when a connected standby has made durable what was wrapped anew, for it may be promoted
# as it is.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;

my $primary = PawsNode->new_node('primary', 'wal_level' => 'replica', 'max_wal_senders' => 4, 'hot_standby' => 'on');
my ($phone, $tablet) = (new_device($primary, 'one', 'ios'), new_device($primary, 'one', 'web'));
paws_push($primary, $phone, [ op_json('standard', payload => 'letter'), op_json('safety', payload => 'plan') ]);
wait_applied($primary);

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));

sub phase { return $primary->safe_psql('postgres', 'SELECT phase FROM paws_sync.pg_stat_progress_paws_sync_keys ORDER BY job DESC LIMIT 1'); }
sub epochs { return $primary->safe_psql('postgres', "SELECT string_agg(state, ' ' ORDER BY number) FROM paws_sync.key_status() WHERE kind IN ('epoch', 'destroyed') AND root = 'care'"); }

# The standby's receiver stands still: connected, and nothing more comes to its disk.
my $receiver = $standby->safe_psql('postgres', 'SELECT pid FROM pg_stat_wal_receiver');
kill 'STOP', $receiver;
$primary->safe_psql('postgres', 'SELECT paws_sync.rotate_keys()');
ok($primary->poll_query_until('postgres', "SELECT phase = 'settling_readers' FROM paws_sync.pg_stat_progress_paws_sync_keys"), 'all keys are wrapped anew');
for my $look (1 .. 8)
{
	last if phase() ne 'settling_readers';
	sleep 0.5 if $look % 2;
	$primary->safe_psql('postgres', 'SELECT pg_sleep(0.3)');
}
is(phase(), 'settling_readers', 'while the standby has not heard of it, the old epochs stay');
is(epochs(), 'old current', 'both are there');
is($primary->safe_psql('postgres', 'SELECT count(*) FROM pg_stat_replication'), 1, 'the standby is connected all the while');

kill 'CONT', $receiver;
ok($primary->poll_query_until('postgres', "SELECT phase = 'finished' FROM paws_sync.pg_stat_progress_paws_sync_keys"), 'then they are destroyed');
is(epochs(), 'destroyed current', 'and gone');

# With the keyring as it is now.
$primary->stop('immediate');
$standby->promote;
my ($rows) = paws_pull($standby, $tablet);
is(join(' ', sort map { $_->{payload} } @$rows), 'letter plan', 'the standby, promoted, reads everything');
$standby->stop;
done_testing();
