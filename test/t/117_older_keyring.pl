# A server that is started with an older copy of its keyring: nothing is taken that the right one could not read, and a
# crisis operation is taken all the same.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsKeyring;
use PawsKeys;
use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('older', 'paws_sync.epoch_lifetime' => 0);
my $keyring = $node->basedir . '/keys/keyring';
my $phone = new_device($node, 'somebody');
my $tablet = new_device($node, 'somebody', 'web');
my %sent;

sub send_crisis
{
	my $payload = 'plan ' . (1 + keys %sent);
	my $answer = $node->safe_psql('postgres',
		"SELECT outcome FROM paws_sync.push_crisis('$phone', '[" . op_json('safety', payload => $payload) . "]')");

	$sent{$payload} = 1;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is($answer, 'accepted', "$payload is taken");
}

sub pulled
{
	return $node->safe_psql('postgres', "SELECT string_agg(coalesce(code, convert_from(payload, 'UTF8')), ', ' ORDER BY revision, "
		  . "code, convert_from(CASE kind WHEN 'change' THEN payload END, 'UTF8')) FROM paws_sync.pull_crisis('$tablet')");
}

# A push that meets whoever seals late what was written meanwhile goes through the lane's queue.
sub pulled_applied
{
	until_sql($node, 'SELECT count(*) = 0 FROM paws_crisis.operation');
	return pulled();
}

sub put_back
{
	put_file($keyring, $_[0]);
	restart_node($node);
	return;
}

send_crisis();
my $older = content_of($keyring);
is(rotate($node, 'epochs')->{left_over}, 0, 'the epochs are rotated');
send_crisis();
my $newest = content_of($keyring);
my $epochs = epochs_of($keyring, 'crisis');

put_back($older);
my $keys = $node->safe_psql('postgres', 'SELECT subject_no, version FROM paws_crisis.subject_key');
set_option($node, 'paws_sync.epoch_lifetime', "'1s'");
send_crisis();
is(pulled(), 'sealed, sealed, sealed', 'what cannot be opened here is handed out sealed');
is($node->safe_psql('postgres', "SELECT count(*) FROM paws_sync.crisis_bundle('$tablet', 'us') WHERE code = 'sealed'"), 3, 'in a bundle too');
is($node->safe_psql('postgres', 'SELECT subject_no, version FROM paws_crisis.subject_key'), $keys, 'the subject keeps its key');
my $other = new_subject($node, 'other');
error_like($node, "SELECT paws_sync.register_device('$other', 'ios')", '55000', qr/newest copy/, 'nobody gets a new key');
is($node->safe_psql('postgres', "SELECT pg_sleep(3), count(*) FROM paws_sync.pg_stat_progress_paws_sync_keys WHERE finished_at IS NULL"),
	'|0', 'and no rotation begins by itself');
isnt(epochs_of($keyring, 'crisis'), $epochs, 'the keyring is the older one');

put_back($newest);
is(pulled_applied(), join(', ', sort keys %sent), 'with the right keyring all can be read');
send_crisis();
new_device($node, 'other');
is(pulled_applied(), join(', ', sort keys %sent), 'and it goes on');
ok(until_sql($node, 'SELECT count(*) > 1 FROM paws_sync.pg_stat_progress_paws_sync_keys'), 'and old epochs are rotated by themselves');
set_option($node, 'paws_sync.epoch_lifetime', 0);

# The right one is lost for good: somebody says so.
put_back($older);
send_crisis();
isnt(rotate($node, 'epochs')->{left_over}, 0, 'a rotation that is asked for goes on with what there is');
my $late = 'plan ' . (1 + keys %sent);
send_crisis();
like(pulled(), qr/\b$late\b/, 'new documents can be read from then on');
my ($device) = new_device($node, 'late');
ok($device, 'and subjects registered');

done_testing();
