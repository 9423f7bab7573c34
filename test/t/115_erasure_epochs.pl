# What an erasure waits for: every epoch that a key of the subject was ever wrapped under, whoever owns it, and whoever
# was rolled back.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsKeyring;
use PawsKeys;
use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('epochs', 'paws_sync.databases' => 'postgres, origin, copy', 'paws_sync.erasure_interval' => '1d');

sub forget
{
	my ($subject, $database) = @_;
	return $node->safe_psql($database, "SELECT state FROM paws_sync.forget('$subject')");
}

# Waits until it has come that far.
sub comes_to
{
	my ($state, $subject, $database, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok(until_sql($node, "SELECT state = '$state' FROM paws_sync.erasure_status('$subject')", database => $database),
		$name);
}

# One test: in so many turns of the scheduler it comes no further.
sub stays
{
	my ($state, $subject, $database, $name) = @_;
	my $turns = "SELECT batches FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'scheduler' AND database = '$database'";
	my $before = $node->safe_psql('postgres', $turns);

	until_sql($node, "SELECT ($turns) > $before + 5") or die 'the scheduler has no turns';
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(erasure_state($node, $subject, $database), $state, $name);
}

# A database is copied while an erasure waits for its epochs, and has others of its own.
$node->safe_psql('postgres', 'CREATE DATABASE origin');
$node->safe_psql('origin', 'SET client_min_messages = warning; CREATE EXTENSION paws_sync CASCADE; '
	  . "SELECT paws_sync.define_collection('safety', 'safety')");
my %subject = map { $_ => new_subject($node, $_, 'basic', 'origin') } qw(early late other);
new_device($node, $_, 'ios', 'origin') foreach sort keys %subject;
forget($subject{early}, 'origin');
comes_to('swept', $subject{early}, 'origin', 'an erasure waits for its epochs');
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE origin');
stays('swept', $subject{early}, 'copy', 'in a copy as well, though the copy owns none');

# In the copy the keys are replaced before they are wrapped anew, and only then a subject is forgotten.
is(rotate($node, 'data_keys', 'copy')->{left_over}, 0, 'the copy has other data keys');
forget($subject{late}, 'copy');
comes_to('swept', $subject{late}, 'copy', 'one of its subjects is forgotten');
is(rotate($node, 'epochs', 'copy')->{finished}, 't', 'the copy destroys its epochs');
stays('swept', $subject{late}, 'copy', 'a key that was replaced is still under an epoch of the origin');
stays('swept', $subject{early}, 'copy', 'as are those of the one that was forgotten before');
is(rotate($node, 'epochs', 'origin')->{finished}, 't', 'the origin destroys its own');
comes_to('destroyed', $subject{$_}, 'copy', "then nothing is left of: $_") foreach qw(early late);
comes_to('destroyed', $subject{early}, 'origin', 'nor in the origin');

# A key that was made for a forgotten subject, under a newer epoch, by a transaction that was rolled back.
create_calls($node);
my $subject = new_subject($node, 'undone');
my $device = new_device($node, 'undone');
my $writer = session($node);
$writer->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
$writer->query_safe('SELECT count(*) FROM paws_crisis.subject_key');
forget($subject, 'postgres');
my $newer = $node->safe_psql('postgres', 'SELECT make_epoch(2)');
$writer->query("SELECT * FROM paws_sync.push_crisis('$device', '[" . op_json('safety') . "]')");
$writer->query('ROLLBACK');
comes_to('swept', $subject, 'postgres', 'its maker is waited for');
is($node->safe_psql('postgres', "SELECT crisis_epoch FROM paws_vault.erasure WHERE subject::text = '$subject'"), $newer,
	'and the newest epoch that it may have used');
$writer->quit;

done_testing();
