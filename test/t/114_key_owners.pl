# Databases that share a keyring: each rotates its own epochs alone. One that was copied or restored reads under those of
# its origin, and an erasure in it is complete only when these are gone as well; after a move it can take them over.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsKeyring;
use PawsKeys;
use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node(
	'owners',
	'paws_sync.databases' => 'postgres,second,copy,restored',
	'paws_sync.max_databases' => 8,
	'paws_sync.pool_size' => 1,
	'paws_sync.erasure_interval' => 0,
	'paws_sync.keyring_backup_retention' => 0,
	'max_worker_processes' => 40);
my $keyring = $node->basedir . '/keys/keyring';

sub create_database
{
	my ($name, $template) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $name" . ($template ? " TEMPLATE $template" : ''));
	return $node->safe_psql('postgres', "SELECT oid FROM pg_database WHERE datname = '$name'");
}

# The epochs of a root that a database owns, by its oid.
sub owned
{
	my ($oid, $root) = @_;

	$root //= 'care';
	return join ' ', content_of($keyring) =~ /^epoch $root (\d+) \d+ \d+ $oid /mg;
}

my $first_oid = $node->safe_psql('postgres', "SELECT oid FROM pg_database WHERE datname = 'postgres'");
my $second_oid = create_database('second');
PawsNode::create_extension($node, 'second');
define_sealings($node, $_) foreach qw(postgres second);
my $first = make_content($node, 'in the first');
my $second = make_content($node, 'in the second', 'second');

isnt(owned($first_oid), '', 'a database has an epoch');
isnt(owned($second_oid), '', 'and the other one its own');

# One rotates, then the other.
my @before = map { owned($_) . '|' . owned($_, 'crisis') } $first_oid, $second_oid;
is(rotate($node, 'epochs')->{left_over}, 0, 'the first one rotates');
isnt(owned($first_oid) . '|' . owned($first_oid, 'crisis'), $before[0], 'its epochs are new');
is(owned($second_oid) . '|' . owned($second_oid, 'crisis'), $before[1], 'those of the second are as they were');
content_is($node, $first, 'the first is read');
content_is($node, $second, 'the second is read', 'second');
is(rotate($node, 'epochs', 'second')->{left_over}, 0, 'the second one rotates');
is(rotate($node, $_, 'second')->{left_over}, 0, "its $_ too") foreach qw(data_keys roots);
content_is($node, $first, 'the first is read');
content_is($node, $second, 'the second is read', 'second');
is(scalar(split / /, owned($_)), 1, 'each has one epoch') foreach $first_oid, $second_oid;

# A copy.
my $copy_oid = create_database('copy', 'second');
ok(until_sql($node, workers_are('copy', 1)) && until_sql($node, workers_are('second', 1)), 'a copy has workers, and its origin has them again');
is(owned($copy_oid), '', 'it has no epoch');
content_is($node, $second, 'it is read', 'copy');
is($node->safe_psql('copy', "SELECT count(*) FROM paws_sync.key_status() WHERE state = 'foreign' AND keys > 0"), 2, 'under foreign epochs');
my $new = make_content($node, 'new in the copy', 'copy');
isnt(owned($copy_oid), '', 'what is new is under its own');
content_is($node, $new, 'and read', 'copy');
error_like($node, 'SELECT paws_sync.adopt_keys()', '55006', qr/Rotate the epochs in that database, or drop it/, 'it cannot take the epochs of its origin', database => 'copy');

my $offset = -s $node->logfile;
my $forgotten = $node->safe_psql('copy', "SELECT subject FROM paws_registry.subject WHERE subject::text <> '$second->{subject}' AND subject::text <> '$new->{subject}' LIMIT 1");
my $victim = new_device($node, 'in the second', 'wearable', 'copy');
is($node->safe_psql('copy', "SELECT state FROM paws_sync.forget('$second->{subject}')"), 'deleted', 'a person is forgotten in the copy');
ok(within(60, sub { log_since($node, $offset) =~ /WARNING:  erasures wait for another database/ }), 'the log says that this waits for the origin');
is(erasure_state($node, $second->{subject}, 'copy'), 'swept', 'it is swept, and no more');
my $jobs = $node->safe_psql('copy', "SELECT count(*) FROM paws_vault.key_job WHERE kind = 1");
is(rotate($node, 'epochs', 'copy')->{left_over}, 0, 'the copy rotates');
is(owned($second_oid) ne '' && scalar(split / /, owned($copy_oid)), 1, 'and destroys its own alone');
is(erasure_state($node, $second->{subject}, 'copy'), 'swept', 'the erasure still waits');
cmp_ok($node->safe_psql('copy', "SELECT count(*) FROM paws_vault.key_job WHERE kind = 1"), '<=', $jobs + 2, 'without rotating again and again');
content_is($node, $new, 'the copy is read', 'copy');
content_is($node, $second, 'and the origin', 'second');
is(rotate($node, 'epochs', 'second')->{left_over}, 0, 'the origin rotates');
ok(until_sql($node, "SELECT state = 'certified' FROM paws_sync.erasure_status('$second->{subject}')", database => 'copy'), 'then the erasure in the copy is complete');
content_is($node, $second, 'and in the origin the person is as before', 'second');
is($node->safe_psql('copy', 'SELECT paws_sync.adopt_keys()'), 0, 'there is nothing left to take over');

# A database that is dropped leaves its epochs to those that were made of it.
my $dump = $node->basedir . '/second.dump';
command_ok([ 'pg_dump', '-Fc', '-d', $node->connstr('second'), '-f', $dump ], 'a dump');
my $epoch = owned($second_oid);
my $restored_oid = create_database('restored');
command_ok([ 'pg_restore', '-d', $node->connstr('restored'), $dump ], 'is restored');
content_is($node, $second, 'and read', 'restored');
error_like($node, 'SELECT paws_sync.adopt_keys()', '55006', undef, 'while its origin is there', database => 'restored');
$node->safe_psql('postgres', 'DROP DATABASE second');
is(owned($second_oid), $epoch, 'a dropped database leaves its epochs');
is($node->safe_psql('restored', "SELECT state FROM paws_sync.forget(paws_sync.subject_for('in the second'))"), 'deleted', 'a person is forgotten');
ok(until_sql($node, "SELECT state = 'swept' FROM paws_sync.erasure_status('$second->{subject}')", database => 'restored'), 'which waits');
is($node->safe_psql('restored', 'SELECT paws_sync.adopt_keys()'), 2, 'the restored one takes over the epochs of both roots');
is($node->safe_psql('restored', 'SELECT paws_sync.adopt_keys()'), 0, 'once');
is(owned($second_oid), '', 'their owner is gone');
ok(until_sql($node, "SELECT state = 'certified' FROM paws_sync.erasure_status('$second->{subject}')", database => 'restored'), 'they are destroyed, and the erasure is complete');
unlike(content_of($keyring), qr/^epoch care $epoch /m, 'the keyring has them no more');
content_is($node, $first, 'the first one is as it was');
content_is($node, $new, 'so is the copy', 'copy');

# Another server, with the keyring of this one.
my $third = make_content($node, 'moved');
my $fourth = make_content($node, 'moved and forgotten');
command_ok([ 'pg_dump', '-Fc', '-d', $node->connstr('postgres'), '-f', "$dump.2" ], 'a dump for another server');
my $moved = PawsNode->new_node('moved', -no_extension => 1, -keys_of => $node, 'wal_level' => 'replica', 'max_wal_senders' => 4, 'paws_sync.erasure_interval' => 0, 'paws_sync.keyring_backup_retention' => 0);
command_ok([ 'pg_restore', '-d', $moved->connstr('postgres'), "$dump.2" ], 'is restored there');
$node->stop;
wait_workers($moved);
content_is($moved, $_, "$_->{ref}: read on the other server") foreach $first, $third, $fourth;
is(rotate($moved, 'epochs')->{left_over}, 0, 'it rotates');
$moved->safe_psql('postgres', "SELECT paws_sync.forget('$fourth->{subject}')");
ok(until_sql($moved, "SELECT state = 'swept' FROM paws_sync.erasure_status('$fourth->{subject}')"), 'a person is forgotten');
is($moved->safe_psql('postgres', 'SELECT count(*) FROM paws_vault.foreign_epoch'), 2, 'the epochs of the old server are noted');
is($moved->safe_psql('postgres', 'SELECT paws_sync.adopt_keys()'), 2, 'and taken over');
ok(until_sql($moved, "SELECT state = 'certified' FROM paws_sync.erasure_status('$fourth->{subject}')"), 'then it is complete');
content_is($moved, $_, "$_->{ref}: read") foreach $first, $third;
is($moved->safe_psql('postgres', "SELECT count(*) FROM paws_sync.key_status() WHERE kind = 'epoch' AND state NOT IN ('current', 'foreign')"), 0, 'nothing else is left');

# A job in the middle, in a copy of the database: the epochs that it made are not the copy's.
my $session = session($moved);
$session->query_safe($_) foreach 'CREATE TABLE mine (n int)', 'BEGIN', 'INSERT INTO mine VALUES (1)';
my $job = $moved->safe_psql('postgres', "SELECT paws_sync.rotate_keys('epochs')");
wait_phase($moved, $job, 'settling_writers');
set_option($moved, 'paws_sync.databases', "''");
until_sql($moved, "SELECT count(*) = 0 FROM paws_sync.pg_stat_paws_sync_workers WHERE kind <> 'launcher'");
$session->query_safe('COMMIT');
$session->quit;
$moved->safe_psql('template1', 'CREATE DATABASE halfway TEMPLATE postgres');
set_option($moved, 'paws_sync.databases', "'halfway'");
is(wait_job($moved, $job, 'halfway')->{left_over}, 0, 'a job that was copied makes epochs of its own');
is($moved->safe_psql('halfway', "SELECT count(*) FROM paws_sync.key_status() WHERE state = 'current' AND keys > 0"), 2, 'and puts all keys under them');
content_is($moved, $_, "$_->{ref}: read in the copy", 'halfway') foreach $first, $third;
set_option($moved, 'paws_sync.databases', "'halfway, postgres'");
is(wait_job($moved, $job)->{left_over}, 0, 'the origin goes on with its own');
content_is($moved, $_, "$_->{ref}: read in the origin") foreach $first, $third;
content_is($moved, $_, "$_->{ref}: and still in the copy", 'halfway') foreach $first, $third;

# A backup that is tried out beside its origin, with the same keyring file: it takes itself for the origin.
my $offset_origin = -s $moved->logfile;
$moved->safe_psql('postgres', 'CHECKPOINT');
$moved->backup('tried');
my $tried = PostgreSQL::Test::Cluster->new('tried');
$tried->init_from_backup($moved, 'tried');
$tried->start;
wait_workers($tried);
my $keyring_moved = $moved->basedir . '/keys/keyring';
is($tried->safe_psql('postgres', "SHOW paws_sync.keyring_file"), $keyring_moved, 'a backup is tried out with the keyring of its origin');
content_is($tried, $third, 'and can be read');
ok(within(30, sub { slurp_file($tried->logfile) =~ /WARNING:  another server of the same identity uses the keyring/ }), 'its log says what is wrong');
my $epochs = content_of($keyring_moved) =~ s/^(generation|highest|checksum) .*\n//mgr;
my $tried_job = $tried->safe_psql('postgres', "SELECT paws_sync.rotate_keys('epochs')");
wait_phase($tried, $tried_job, 'destroying');
stays_in_phase($tried, $tried_job, 'destroying', 'it rotates, and destroys nothing');
like(slurp_file($tried->logfile), qr/ERROR:  another server of the same identity uses the keyring/, 'and says why');
like(content_of($keyring_moved), qr/^\Q$_\E$/m, 'what the origin uses is there') foreach grep { /^epoch/ } split /\n/, $epochs;
content_is($moved, $_, "$_->{ref}: read in the origin") foreach $first, $third;
unlike(log_since($moved, $offset_origin), qr/same identity/, 'which has nothing to complain of');
is(rotate($moved, 'data_keys')->{left_over}, 0, 'it rotates its data keys');
$moved->restart;
wait_workers($moved);
stays_in_phase($tried, $tried_job, 'destroying', 'nor does it after the origin was restarted');
is(rotate($moved, 'data_keys')->{left_over}, 0, 'which rotates its data keys again');
content_is($moved, $_, "$_->{ref}: read in the origin") foreach $first, $third;
$moved->stop;
restart_node($tried);
is(wait_job($tried, $tried_job)->{left_over}, 0, 'the copy goes on when it is started without the origin');
crash_free($tried);
$tried->stop;

crash_free($_) foreach $node, $moved;
done_testing();
