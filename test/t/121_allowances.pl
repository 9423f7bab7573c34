# What is used up of allowances survives a restart, and a crash as far as it was written. A file that is missing or
# damaged costs nobody anything but limits: everybody begins with all, and the log says so.

use strict;
use warnings;

use File::Copy;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsKeyring;
use PawsNode;
use PawsProbe;

my $BURST = 200;
my $node = PawsNode->new_node('allowances');
my $file = $node->data_dir . '/pg_stat/paws_sync_allowances.stat';
my $subject;
my $device;

sub sql { return $node->safe_psql('postgres', $_[0]) }

sub set_limits
{
	sql("SELECT paws_sync.set_tier_policy('trial', ops_per_second => 1, ops_burst => $BURST)");
	sql("SELECT paws_sync.set_policy('bulk', 'trial', ops_per_second => 1, ops_burst => $BURST)");
	return;
}

# A subject that used up its allowances, both.
sub use_up
{
	my ($ref) = @_;

	$subject = new_subject($node, $ref);
	$device = new_device($node, $ref);
	foreach my $collection (qw(standard bulk))
	{
		my $accepted = sql(push_some($device, 3 * $BURST, $collection));
		cmp_ok($accepted, '>=', $BURST, "$ref: all of the burst of $collection is used up");
		cmp_ok($accepted, '<', 2 * $BURST, '… and no more');
	}
	return;
}

# One test for each allowance: little of it is there, or all.
sub allowance_is
{
	my ($full, $name) = @_;

	foreach my $collection (qw(standard bulk))
	{
		my $accepted = sql(push_some($device, 2 * $BURST, $collection));

		# less than half comes back in a hundred seconds, in which this is done
		$full ? cmp_ok($accepted, '>=', $BURST, "$name: $collection has all") : cmp_ok($accepted, '<', $BURST / 2, "$name: $collection has little");
	}
	return;
}

# Waits until the launcher has written what is used up by now. It does so if somebody asked since the last time.
sub wait_written
{
	my $content = content_of($file) // '';

	sql(push_some($device, 1, 'standard'));
	ok(within(60, sub { (content_of($file) // '') ne $content }), 'the launcher writes');
	return;
}

set_limits();
like(slurp_file($node->logfile), qr/nothing is known of what is used up of allowances.*\n.*There is no file of it\. Every subject begins/, 'the first start says that it knows of nothing');

# A clean shutdown.
use_up('clean');
restart_node($node);
allowance_is(0, 'after a clean shutdown');
my @said = slurp_file($node->logfile) =~ /nothing is known of what is used up/g;
is(scalar @said, 1, 'a start with a file says nothing');

# The file has numbers alone: the header, an entry for each allowance, the trailer.
my $content = content_of($file);
is((length($content) - 32) % 64, 0, 'a file of entries');
unlike($content, qr/clean|standard|bulk|sub_|dev_|trial/, 'with no names in it');
is((stat $file)[2] & 0077, 0, 'closed to others');
is(content_of("$file.tmp"), undef, 'and nothing is left beside it');

# A crash: from the file as it was last written.
use_up('crash');
wait_written();
restart_node($node, 'immediate');
allowance_is(0, 'after a crash');

# The server starts anew by itself when a process is killed; shared memory is new.
my $launcher = (worker_pids($node, 'launcher'))[0];
use_up('killed');
wait_written();
kill 9, (worker_pids($node, 'pool'))[0];
ok(within(60, sub { my ($pid) = eval { worker_pids($node, 'launcher') }; $pid && $pid != $launcher }), 'the server starts anew by itself');
wait_workers($node);
allowance_is(0, 'after a process was killed');

# Fewer subjects fit: what has room is kept, the server starts.
$node->append_conf('postgresql.conf', "paws_sync.max_subjects_limited = 100\n");
use_up('smaller');
restart_node($node);
allowance_is(0, 'with a smaller table');

# No file.
use_up('missing');
$node->stop;
my $good = content_of($file);
ok(unlink($file), 'the file goes');
my $offset = -s $node->logfile;
$node->start;
wait_workers($node);
like(log_since($node, $offset), qr/There is no file of it\./, 'the log says that there is none');
allowance_is(1, 'without a file');

# Damaged in every way: the server starts, everybody has all, the log says why.
my %damage = (
	'empty' => '',
	'a byte' => 'x',
	'the header alone' => substr($good, 0, 16),
	'cut in an entry' => substr($good, 0, 16 + 30),
	'without the trailer' => substr($good, 0, length($good) - 16),
	'one byte too long' => $good . "\0",
	'zeros' => "\0" x length $good,
	'text' => "sub_0000\n" x 20,
	'another version' => 'PAllow99' . substr($good, 8));
foreach my $at (0, 9, 17, 40, length($good) - 20, length($good) - 1)
{
	my $changed = $good;
	substr($changed, $at, 1) = chr(ord(substr $changed, $at, 1) ^ 0x40);
	$damage{"changed at $at"} = $changed;
}
use_up('damaged');
foreach my $how (sort keys %damage)
{
	$node->stop;
	put_file($file, $damage{$how});
	$offset = -s $node->logfile;
	$node->start;
	like(log_since($node, $offset), qr/nothing is known of what is used up of allowances.*\n.*DETAIL:  Its file (is damaged|was cut off|is too short or cannot be read|is of another version)\. Every subject/,
		"$how: the log says so");
	allowance_is(1, $how);
}

# In its place something that is no file: the server starts and serves, and says once that it cannot write.
$node->stop;
unlink $file;
mkdir $file or die;
$offset = -s $node->logfile;
$node->start;
wait_workers($node);
use_up('folder');
ok(within(60, sub { log_since($node, $offset) =~ /what is used up of allowances could not be written/ }), 'the log says that it cannot be written');
$node->stop;
rmdir $file or die;
$node->start;
wait_workers($node);

# Whoever is forgotten is in the file no more.
sub numbers_in_file
{
	my $entries = substr(content_of($file) // '', 16);
	return { map { unpack('q', substr($entries, 64 * $_, 8)) => 1 } 0 .. length($entries) / 64 - 1 };
}
use_up('kept');
my $kept = $device;
use_up('forgotten');
my $number = sql("SELECT subject_no FROM paws_registry.subject WHERE subject::text = '$subject'");
wait_written();
ok(numbers_in_file()->{$number}, 'a subject is in the file by its number');
sql("SELECT state FROM paws_sync.forget('$subject')");
ok(within(60, sub { !numbers_in_file()->{$number} }), 'a forgotten one is not');
$device = $kept;
allowance_is(0, 'and nobody else is forgotten');

# A file of before brings back nothing for an extension that was made anew: its subjects are others, with the same numbers.
use_up('first');
sql('DROP EXTENSION paws_sync CASCADE');
PawsNode::create_extension($node);
set_limits();
$device = new_device($node, 'second');
allowance_is(1, 'in another installation');
restart_node($node);
allowance_is(0, 'which has its own');

# Nobody asks, nobody writes.
$node->stop;
$node->start;
wait_workers($node);
my $written = (stat $file)[9];
my $turns = sql("SELECT batches FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'scheduler'");
until_sql($node, "SELECT batches > $turns + 12 FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'scheduler'");
is((stat $file)[9], $written, 'an idle server does not write it');

is(sql('SELECT sum(untracked) FROM paws_sync.pg_stat_paws_sync_admission'), 0, 'nobody went untracked');
$node->stop;
done_testing();
