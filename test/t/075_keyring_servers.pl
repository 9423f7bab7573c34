# One keyring for several servers: a standby beside its primary, and what was promoted beside what it left.

use strict;
use warnings;

use Fcntl qw(:flock);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsKeyring;
use PawsNode;
use PawsProbe;

my $primary = PawsNode->new_node('primary', 'wal_level' => 'replica', 'max_wal_senders' => 4, 'hot_standby' => 'on');
my $keys = $primary->basedir . '/keys';
my $keyring = "$keys/keyring";

create_calls($primary);
my $subject = new_subject($primary, 'one'); # writes nothing, and needs no epoch
is($primary->safe_psql('postgres', 'SELECT make_epoch(1), make_epoch(2)'), '1|1', 'the primary makes epochs');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

sub both
{
	my ($query) = @_;
	return map { scalar $_->safe_psql('postgres', $query) } $primary, $standby;
}

sub same
{
	my ($query, $name) = @_;
	my ($here, $there) = both($query);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	isnt($here, '', "$name: there is an answer");
	return is($there, $here, $name);
}

# What the primary does is seen when it is needed.
same('SELECT epoch_digest(1, 1), epoch_digest(2, 1), base_digest(1)', 'the standby has the keys of the primary');
my $session = session($standby);
is(scalar $session->query_safe('SELECT epoch_digest(1, 2) IS NULL'), 't', 'an epoch that there is not');
is($primary->safe_psql('postgres', 'SELECT make_epoch(1)'), '2', 'is made on the primary');
is(scalar $session->query_safe('SELECT epoch_digest(1, 2) IS NULL'), 'f', 'and then there on the standby');
same('SELECT epoch_digest(1, 2)', 'the same one');
is($primary->safe_psql('postgres', 'SELECT destroy_epochs(1, 2)'), 1, 'one is destroyed on the primary');
is(scalar $session->query_safe('SELECT epoch_digest(1, 1) IS NULL'), 't', 'and gone on the standby');
foreach my $call ('make_epoch(1)', 'destroy_epochs(1, 2)', 'adopt_epoch(1, 2)', 'rewrap(1)')
{
	error_like($standby, "SELECT $call", '25006', qr/on the primary/, "$call is refused on a standby");
}
is($standby->safe_psql('postgres', 'SELECT ensure_epoch(1)'), 2, 'what is there need not be made');
error_like($standby, 'SELECT ensure_epoch(3)', '25006', qr/on the primary/, 'what is not cannot');

# A copy of its own, which grows old.
my $copy = put_file("$keys/copy", content_of($keyring));
$standby->adjust_conf('postgresql.conf', 'paws_sync.keyring_file', "'$copy'");
$session->quit;
$standby->restart;
is($primary->safe_psql('postgres', 'SELECT make_epoch(1)'), 3, 'an epoch that the copy does not hold');
is($standby->safe_psql('postgres', 'SELECT epoch_digest(1, 3) IS NULL'), 't', 'is not there');
$session = session($standby);
is(scalar $session->query_safe('SELECT epoch_digest(1, 3) IS NULL'), 't', 'not in any session');
put_file($copy, content_of($keyring));
is(scalar $session->query_safe('SELECT epoch_digest(1, 3) IS NULL'), 'f', 'until the copy is a new one');
same('SELECT epoch_digest(1, 3)', 'then it is');

# Without a keyring none is made, for it would not be the one of the primary.
$session->quit;
$standby->stop;
unlink $copy;
$standby->start;
ok(!-e $copy, 'a standby makes no keyring');
like($standby->safe_psql('postgres', "SELECT state || ': ' || detail FROM paws_sync.status() WHERE component = 'keyring'"),
	qr/^none: .*does not exist/, 'and says that there is none');
error_like($standby, "SELECT paws_sync.subject_for('one')", '55000', qr/"paws_sync.keyring_file"/, 'as do functions');

# Promoted, it shares the file with the old primary; both make epochs at once.
$standby->adjust_conf('postgresql.conf', 'paws_sync.keyring_file', "'$keyring'");
$standby->restart;
is($standby->safe_psql('postgres', "SELECT paws_sync.subject_for('one')"), $subject, 'with the file it is as it was');
$standby->promote;
$_->safe_psql('postgres', 'CREATE TABLE given (number int, digest bytea)') foreach $primary, $standby;
my $script = put_file($primary->basedir . '/epochs.sql',
	"WITH made AS MATERIALIZED (SELECT make_epoch(1) AS number) INSERT INTO given SELECT number, epoch_digest(1, number) FROM made;\n");
my @runs = map {
	IPC::Run::start([ $_->installed_command('pgbench'), '-n', '-c', 2, '-t', 25, '-f', $script, '-h', $_->host, '-p', $_->port, '-U', 'postgres', 'postgres' ],
		'<', \undef, '>', \my $out, '2>', \my $err)
} $primary, $standby;
ok($_->finish, 'a server makes epochs while the other does') foreach @runs;
my %given;
foreach my $node ($primary, $standby)
{
	$given{ (split /\|/)[0] }++ foreach split /\n/, $node->safe_psql('postgres', 'SELECT number FROM given');
}
is(scalar(keys %given), 100, 'a hundred numbers were given');
is(scalar(grep { $_ > 1 } values %given), 0, 'none twice');
foreach my $node ($primary, $standby)
{
	is($node->safe_psql('postgres', "SELECT count(*) FROM given WHERE digest = epoch_digest(1, number)"), 50, 'each server has the keys it made');
}
same("SELECT string_agg(epoch_digest(1, number)::text, ' ' ORDER BY number) FROM generate_series(2, 103) AS number", 'and those of the other');

# Who holds the folder for long holds nobody up for ever.
open(my $folder, '<', $keys) or die "$keys: $!";
flock($folder, LOCK_EX) or die "$keys: $!";
my $e = error_of($primary, 'SELECT make_epoch(1)');
is("$e->{sqlstate} $e->{detail}", '58030 Another program keeps the folder of the keyring file locked.', 'a folder that somebody else keeps locked');
is($primary->safe_psql('postgres', "SELECT paws_sync.subject_for('one')"), $subject, 'keeps nobody from using keys');
close $folder;
is($primary->safe_psql('postgres', 'SELECT make_epoch(1)'), 104, 'afterwards epochs are made');

# Two copies that both went on are two keyrings: neither takes the other's place, for each holds keys that it lacks.
$standby->stop;
put_file($copy, content_of($keyring));
$standby->adjust_conf('postgresql.conf', 'paws_sync.keyring_file', "'$copy'");
$standby->start;
is($standby->safe_psql('postgres', 'SELECT make_epoch(1)'), 105, 'one server makes an epoch in its copy');
is($primary->safe_psql('postgres', 'SELECT make_epoch(1), make_epoch(1), make_epoch(1)'), '105|106|107', 'the other in its own');
my $own = $standby->safe_psql('postgres', 'SELECT epoch_digest(1, 105)');
my $lost = content_of($copy);
put_file($copy, content_of($keyring));
like($standby->safe_psql('postgres', "SELECT state || ': ' || detail FROM paws_sync.status() WHERE component = 'keyring'"),
	qr/^memory: .*that of another server/, 'the newer one of the two is not taken');
is($standby->safe_psql('postgres', 'SELECT epoch_digest(1, 105), epoch_digest(1, 107) IS NULL'), "$own|t", 'and no key is lost');
error_like($standby, 'SELECT make_epoch(1)', '58030', qr/"paws_sync.keyring_file"/, 'nor is it changed');
put_file($copy, $lost);
is($standby->safe_psql('postgres', 'SELECT make_epoch(1)'), 106, 'its own is');

crash_free($_) foreach $primary, $standby;
$_->stop foreach $standby, $primary;
done_testing();
