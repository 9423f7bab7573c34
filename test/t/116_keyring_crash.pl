# A crash while the keyring's file is out of reach: what was made and destroyed since the start is known all the same.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsKeyring;
use PawsKeys;
use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('crash');
my $keyring = $node->basedir . '/keys/keyring';
my $phone = new_device($node, 'somebody');
my $tablet = new_device($node, 'somebody', 'web');
my %sent;

sub send_some
{
	foreach my $collection (qw(safety standard))
	{
		my $payload = "$collection " . (1 + keys %sent);

		$sent{$payload} = 1;
		my ($answer) = paws_push($node, $phone, [ op_json($collection, payload => $payload) ]);
		is($answer->{outcome}, 'accepted', "$payload is taken");
	}
	wait_applied($node);
	return;
}

sub all_is_there
{
	my ($name) = @_;
	my ($rows) = paws_pull($node, $tablet);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(join(', ', sort map { $_->{payload} // $_->{code} } @$rows), join(', ', sort keys %sent), $name);
}

# Any process but a client's: they all end.
sub crash
{
	my $offset = -s $node->logfile;

	kill 'KILL', $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'");
	ok(within(60, sub { log_since($node, $offset) =~ /is ready to accept connections/ }), 'the server comes back');
	ok(wait_workers($node), 'with its workers');
	return;
}

# The postmaster has read epochs that are destroyed after its start, and not those that are made.
restart_node($node);
send_some();
is(rotate($node, 'epochs')->{left_over}, 0, 'the epochs are rotated');
my $epochs = epoch_states($node);
send_some();
rename $keyring, "$keyring.away" or die "$keyring: $!";
foreach my $n (1, 2)
{
	crash();
	is(epoch_states($node), $epochs, "crash $n: the epochs are those of before");
	all_is_there('all can be read');
	send_some();
	new_device($node, "new after crash $n");
	$epochs = epoch_states($node);
}
rename "$keyring.away", $keyring or die "$keyring: $!";
restart_node($node);
is(epoch_states($node), $epochs, 'with the file put back the epochs are the same');
all_is_there('and all can be read');
is(rotate($node, 'epochs')->{left_over}, 0, 'they are rotated again');
all_is_there('and nothing is lost');

done_testing();
