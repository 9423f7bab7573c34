# The keyring's file: made at the first start, read at later ones, refused with a word that says why; changed under a
# running server by many at once, on a disk that fails and by processes that die. No key is ever lost.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use POSIX qw(mkfifo);
use Test::More;
use Time::HiRes qw(usleep);

use PawsKeyring;
use PawsNode;
use PawsProbe;

my $HINT = qr/"paws_sync.keyring_file"/;
my $ENOSPC = 28;
my $EIO = 5;

my $fault_library = build_module('keyring_faults');
my $node = PawsNode->new_node('keyring');
my $keys = $node->basedir . '/keys';
my $keyring = "$keys/keyring";

$node->safe_psql('postgres', 'CREATE DATABASE calls');
create_calls($node, 'calls');

# The database of the extension has the epochs that its data needs. Those that come and go here are of the billing
# root, which nothing needs, and belong to a database of their own.
sub calls { return scalar $node->safe_psql('calls', "SELECT $_[0]") }
sub sql { return $node->safe_psql('postgres', @_) }
sub status_of { return sql("SELECT state || ': ' || detail FROM paws_sync.status() WHERE component = '$_[0]'") }

# The first start, and the second.
my $made = content_of($keyring);
is((stat $keyring)[2] & 07777, 0600, 'the first start made a keyring, closed to others');
like($made, qr/^paws_sync keyring 1\ngeneration 1\nhighest 0 0 0\n(base (care|crisis|billing) 1 1 \d+ [0-9a-f]{144}\n){3}checksum [0-9a-f]{64}\n$/,
	'with a base secret for each root');
like(slurp_file($node->logfile), qr/paws_sync made a new keyring/, 'the log says so');
like(status_of('keyring'), qr/^ready: generation 1, 0 epochs, 0 destroyed, 0 keys that do not open$/, 'status() too');
my $subject = new_subject($node, 'one', 'premium');
my $device = new_device($node, 'one');
my $other = new_device($node, 'one', 'web');
paws_push($node, $device, [ op_json('standard', payload => 'ordinary'), op_json('safety', payload => 'crisis') ]);
wait_applied($node);
my $first = content_of($keyring);
like($first, qr/^\Q$_\E$/m, 'what was made stays') foreach grep { /^base/ } split /\n/, $made;
my $bases = calls('base_digest(1), base_digest(2), base_digest(3)');
$node->restart;
is(content_of($keyring), $first, 'the second start leaves it as it is');
is(calls('base_digest(1), base_digest(2), base_digest(3)'), $bases, 'and finds the same secrets in it');
is(sql("SELECT paws_sync.subject_for('one')"), $subject, 'from which the same keys derive');

sub readable
{
	my ($name) = @_;
	my ($rows) = paws_pull($node, $other);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(join(' ', sort map { $_->{payload} } @$rows), 'crisis ordinary', $name);
}
readable('what was stored is read');

# Whatever is wrong at the start.
sub start_with
{
	my ($path, $content, $mode) = @_;

	$node->stop if $node->{_pid};
	put_file($path, $content, $mode) if defined $content;
	$node->adjust_conf('postgresql.conf', 'paws_sync.keyring_file', "'$path'");
	return $node->start(fail_ok => 1);
}

my $inside = $node->data_dir . '/keyring';
my $length = length $first;
my ($some_digit) = $first =~ /^base crisis 1 1 \d+ /m ? $+[0] + 10 : die 'no line';
(my $flipped = $first) =~ s/^(.{$some_digit})(.)/$1 . ($2 eq '0' ? '1' : '0')/es;
(my $no_checksum = $first) =~ s/checksum.*//s;
mkdir "$keys/folder", 0700;
mkdir "$keys/open", 0700;
mkfifo("$keys/fifo", 0600);
symlink $keyring, "$keys/symlink";
put_file("$keys/open/keyring", $first);
chmod 0770, "$keys/open";
mkdir "$keys/world", 0700;
put_file("$keys/world/keyring", $first);
chmod 01777, "$keys/world";

foreach my $case (
	[ 'no setting', '', undef, qr/^none: No keyring file is configured/ ],
	[ 'a missing folder', "$keys/nowhere/keyring", undef, qr/^none: .*does not exist/ ],
	[ 'a folder', "$keys/folder", undef, qr/^none: .*not a regular file/ ],
	[ 'a name that is none', "$keys/", undef, qr/^none: .*does not exist/ ],
	[ 'a symbolic link', "$keys/symlink", undef, qr/^none: .*symbolic link/ ],
	[ 'a pipe', "$keys/fifo", undef, qr/^none: .*not a regular file/ ],
	[ 'a file open to the group', "$keys/group", [ $first, 0640 ], qr/^none: .*accessible to its group or to others/ ],
	[ 'a file open to others', "$keys/others", [ $first, 0602 ], qr/^none: .*accessible to its group or to others/ ],
	[ 'a file that cannot be read', "$keys/closed", [ $first, 0 ], qr/^none: .*cannot be read/ ],
	[ 'a folder open to the group', "$keys/open/keyring", undef, qr/^none: The folder of the keyring file/ ],
	[ 'a folder open to all', "$keys/world/keyring", undef, qr/^none: The folder of the keyring file/ ],
	[ 'a folder open to all without a file in it', "$keys/world/new", undef, qr/^none: The folder of the keyring file/ ],
	[ 'a file in the data directory', $inside, [$first], qr/^none: .*in the data directory/ ],
	[ 'the same by a detour', $node->data_dir . '/../pgdata/base/../keyring', undef, qr/^none: .*in the data directory/ ],
	[ 'a new file in the data directory', $node->data_dir . '/other', undef, qr/^none: .*in the data directory/ ],
	[ 'a relative path', 'keyring', undef, qr/^none: .*in the data directory/ ],
	[ 'an empty file', "$keys/bad", [''], qr/^none: .*damaged/ ],
	[ 'garbage', "$keys/bad", [ "garbage\n" x 20 ], qr/^none: .*damaged/ ],
	[ 'a file without its end', "$keys/bad", [ substr($first, 0, $length - 1) ], qr/^none: .*damaged/ ],
	[ 'half a file', "$keys/bad", [ substr($first, 0, $length / 2) ], qr/^none: .*damaged/ ],
	[ 'a file without its beginning', "$keys/bad", [ substr($first, 20) ], qr/^none: .*damaged/ ],
	[ 'one digit changed', "$keys/bad", [$flipped], qr/^none: .*damaged/ ],
	[ 'no checksum', "$keys/bad", [$no_checksum], qr/^none: .*damaged/ ],
	[ 'a line too many', "$keys/bad", ["$first\n"], qr/^none: .*damaged/ ],
	[ 'a file written twice', "$keys/bad", ["$first$first"], qr/^none: .*damaged/ ],
	[ 'a huge file', "$keys/bad", [ "\n" x 300_000 ], qr/^none: .*longer than a keyring may be/ ])
{
	my ($what, $path, $file, $state) = @$case;

	ok(start_with($path, $file ? @$file : ()), "the server starts with $what");
	like(status_of('keyring'), $state, 'status() says so');
	like(status_of('keys care'), $state, 'and that there are no keys');
	like($node->safe_psql('postgres', "SELECT hint FROM paws_sync.doctor() WHERE check_name = 'keyring'"),
		qr/The log of the server's start says what to do/, 'the doctor where to look');
	like(slurp_file($node->logfile), qr/runs without its keyring.*\n.*DETAIL.*\n.*HINT:  Put a copy of the keyring/,
		'the log says to put it back') if $state =~ /damaged|longer/;
	error_like($node, "SELECT paws_sync.subject_for('one')", '55000', $HINT, 'subject_for fails with a hint');
	next unless $file;
	chmod 0600, $path;
	is(content_of($path), $file->[0], 'the file is left as it was');
}
ok(!-e $node->data_dir . '/other' && !-e "$keys/world/new", 'nothing is made where no keyring may be');
error_like($node, 'SELECT make_epoch(3)', '55000', $HINT, 'no epoch is made without a keyring', database => 'calls');
error_like($node, "SELECT * FROM paws_sync.push('$device', '[]')", '55000', $HINT, 'push fails with a hint');
is(sql('SELECT count(*) FROM paws_sync.keyring()'), 0, 'there is nothing in no keyring');
like(slurp_file($node->logfile), qr/paws_sync runs without its keyring/, 'the log said it at the start');

# Another root under the same id; and then its own again.
my $root = content_of("$keys/care.root");
put_file("$keys/care.root", '1 ' . 'ab' x 32 . "\n");
ok(start_with($keyring), 'the server starts with another root');
is(content_of($keyring), $first, 'its keyring is left as it is');
like(status_of('keys care'), qr/^none: The keyring does not open with this root key/, 'status() says that it does not open');
like(status_of('keys crisis'), qr/^ready/, 'the other roots are as before');
like(status_of('keyring'), qr/, 2 keys that do not open$/, 'status() counts it');
error_like($node, "SELECT paws_sync.subject_for('one')", '55000', qr/"paws_sync.care_root".*"paws_sync.keyring_file"/, 'subject_for names both settings');
error_like($node, 'SELECT make_epoch(1)', '55000', qr/"paws_sync.care_root"/, 'no epoch is made under it', database => 'calls');
put_file("$keys/care.root", $root);

# A new keyring under the right roots: well-formed, but not that of the database.
ok(start_with("$keys/second"), 'the server starts without its keyring and makes another one');
ok(-s "$keys/second", 'which is there');
like(status_of('keys care'), qr/^wrong: /, 'status() says that it is not that of the database');
like(status_of('keys crisis'), qr/^wrong: /, 'for each root');
error_like($node, "SELECT * FROM paws_sync.pull('$device')", 'PW001', $HINT, 'tokens of the first one are refused');
my $e = error_of($node, "SELECT paws_sync.register_device(paws_sync.subject_for('one'), 'ios')");
is("$e->{sqlstate} $e->{message}", '55000 care keys are not those of this database', 'no device is made under it');

# A root that comes later gets its base secret then.
$node->stop;
$node->adjust_conf('postgresql.conf', 'paws_sync.crisis_root', "''");
ok(start_with("$keys/third"), 'a keyring made without one root');
like(content_of("$keys/third"), qr/^base care 1 .*\nbase billing 1 .*\nchecksum/m, 'holds the others');
like(status_of('keys crisis'), qr/^none: No provider/, 'and that root is not there');
$node->adjust_conf('postgresql.conf', 'paws_sync.crisis_root', "'file:$keys/crisis.root'");
my ($care_line) = content_of("$keys/third") =~ /^(base care .*)$/m;
$node->restart;
like(content_of("$keys/third"), qr/generation 2\nhighest 0 0 0\n\Q$care_line\E\nbase crisis 1 .*\nbase billing/, 'with the root it is added');
like(status_of('keyring'), qr/^ready: generation 2/, 'and all is well');

ok(start_with($keyring), 'the first keyring again');
readable('gives back all that was stored');

# Epochs: numbers, owners, and what other sessions know of them.
my $session = session($node, 'calls');
is($session->query_safe('SELECT current_epoch(3), epoch_digest(3, 1), destroyed_at(3, 1)'), '0||', 'a database begins without an epoch');
is(calls('make_epoch(3), make_epoch(3), make_epoch(2)'), '1|2|2', 'epochs count from 1 for each root');
is(calls('ensure_epoch(3), ensure_epoch(2), ensure_epoch(1), ensure_epoch(1)'), '2|2|2|2', 'the newest one is given, or the first made');
my $digests = calls('epoch_digest(3, 1), epoch_digest(3, 2), epoch_digest(2, 2)');
is($session->query_safe('SELECT epoch_digest(3, 1), epoch_digest(3, 2), epoch_digest(2, 2)'), $digests, 'a session from before has the same keys');
isnt((split /\|/, $digests)[$_], (split /\|/, $digests)[ ($_ + 1) % 3 ], 'two are not the same') foreach 0 .. 2;
error_like($node, 'BEGIN; SELECT make_epoch(3); SELECT 1 / 0; COMMIT', '22012', undef, 'a transaction that fails', database => 'calls');
is(calls('current_epoch(3)'), 3, 'keeps the epoch that it made');

$node->safe_psql('postgres', 'CREATE DATABASE second');
create_calls($node, 'second');
is($node->safe_psql('second', 'SELECT current_epoch(3), ensure_epoch(3)'), '0|4', 'another database has an epoch of its own');
is($node->safe_psql('second', 'SELECT epoch_digest(3, 2)') . '|', (split /\|/, $digests)[1] . '|', 'and reads those of the first');
is($node->safe_psql('second', 'SELECT destroy_epochs(3, 100)'), 1, 'it destroys its own alone');
is(calls('destroy_epochs(3, 2)'), 1, 'the first one destroys what is below');
is(calls('destroy_epochs(3, 2)'), 0, 'once');
is($session->query_safe('SELECT epoch_digest(3, 1) IS NULL AND destroyed_at(3, 1) BETWEEN now() - interval \'1 minute\' AND clock_timestamp()'),
	't', 'another session lost it at once, and knows when');
unlike(content_of($keyring), qr/^epoch billing [14] /m, 'the file has them no more');
like(content_of($keyring), qr/^destroyed billing 1 \d+ \d+ \d+\ndestroyed billing 4 \d+ \d+ \d+$/m, 'but a line for each');
is(calls('make_epoch(3)'), 5, 'their numbers are not given again');
is($node->safe_psql('second', 'SELECT adopt_epoch(3, 5), adopt_epoch(3, 5), adopt_epoch(3, 1), adopt_epoch(3, 77)'), 't|t|f|f', 'an epoch can be adopted');
is(calls('current_epoch(3)') . $node->safe_psql('second', 'SELECT current_epoch(3)'), '35', 'and then is the adopter\'s');
is(sql(q{SELECT string_agg(concat_ws(' ', kind, root, number, root_id, own, open), ', ') FROM paws_sync.keyring() WHERE root <> 'crisis'}),
	'base care 1 1 t, base billing 1 1 t, epoch care 1 1 t t, epoch care 2 1 f t, epoch billing 2 1 f t, '
	  . 'epoch billing 3 1 f t, epoch billing 5 1 f t, destroyed billing 1 f f, destroyed billing 4 f f',
	'keyring() shows them');
$node->restart;
is(calls('epoch_digest(3, 2), epoch_digest(2, 2), current_epoch(3)'), join('|', (split /\|/, $digests)[ 1, 2 ], 3), 'a restart changes nothing');
is(calls('make_epoch(3)'), 6, 'nor gives a number again');

# Many at once.
sub many
{
	my ($clients, $each, $query) = @_;
	my $script = $node->basedir . '/many.sql';

	put_file($script, $query);
	my ($out, $err) = run_command([ $node->installed_command('pgbench'), '-n', '-c', $clients, '-t', $each, '-f', $script,
			'-h', $node->host, '-p', $node->port, '-U', 'postgres', 'calls' ]);
	return $out =~ m|number of transactions actually processed: (\d+)/|;
}
$node->safe_psql('calls', 'CREATE TABLE given (number int PRIMARY KEY, digest bytea)');
my ($processed) = many(4, 20, "WITH made AS MATERIALIZED (SELECT make_epoch(3) AS number) INSERT INTO given SELECT number, epoch_digest(3, number) FROM made;\n");
is($processed, 80, 'four sessions make twenty epochs each');
is(calls('count(*), min(number), max(number), count(DISTINCT digest) FROM given'), '80|7|86|80', 'each gets a number and a key of its own');
is(calls('count(*) FROM given WHERE digest = epoch_digest(3, number)'), 80, 'and all are there afterwards');
$node->safe_psql('postgres', 'CREATE DATABASE third');
create_calls($node, 'third');
my @waiters = map { session($node, 'third') } 1 .. 4;
start_query($_, 'SELECT ensure_epoch(3)') foreach @waiters;
is(join(' ', map { scalar $_->query('SELECT current_epoch(3)') } @waiters), join(' ', ("87\n87") x 4), 'who all need a first one get the same');
$_->quit foreach @waiters;

# The file disappears, or is another one, under a running server.
my $good = content_of($keyring);
sub broken
{
	my ($what, $break, $sentence) = @_;
	my $offset = -s $node->logfile;
	my $before = session($node, 'calls');

	is(scalar $before->query_safe('SELECT epoch_digest(3, 86) IS NOT NULL'), 't', "before: $what");
	$break->();
	ok(within(20, sub { log_since($node, $offset) =~ /paws_sync goes on with the keyring in memory/ }), 'the log says it');
	like(log_since($node, $offset), qr/DETAIL:  .*$sentence/, 'and what it is');
	like(status_of('keyring'), qr/^memory: .*$sentence/, 'status() too');
	is(scalar $_->query_safe('SELECT count(*) FROM given WHERE digest = epoch_digest(3, number)'), 80, 'keys are there')
	  foreach $before, my $after = session($node, 'calls');
	readable('what was stored is read');
	like(sql("SELECT paws_sync.register_device(paws_sync.subject_for('$what'), 'ios')"), qr/^dev_/, 'new subjects come');
	my $e = error_of($node, 'SELECT make_epoch(3)', database => 'calls');
	is("$e->{sqlstate} $e->{message}", '58030 the keyring cannot be changed', 'no epoch is made');
	like($e->{detail}, qr/$sentence/, 'with the reason');
	like($e->{hint}, $HINT, 'and a hint');
	error_like($node, 'SELECT destroy_epochs(3, 100)', '58030', $HINT, 'and none destroyed', database => 'calls');
	is(() = log_since($node, $offset) =~ /goes on with the keyring in memory/g, 1, 'the log said it once');
	$_->quit foreach $before, $after;
	chmod 0700, $keys;
	put_file($keyring, $good);
	ok(until_sql($node, "SELECT state = 'ready' FROM paws_sync.status() WHERE component = 'keyring'"), 'put back, it is good');
	ok(within(20, sub { log_since($node, $offset) =~ /can be read again/ }), 'and the log says so');
	return;
}
broken('a deleted file', sub { unlink $keyring }, 'does not exist');
broken('a file open to others', sub { chmod 0644, $keyring }, 'accessible to its group or to others');
broken('garbage', sub { put_file($keyring, 'garbage' x 100) }, 'damaged');
broken('a file cut short', sub { put_file($keyring, substr($good, 0, 1000)) }, 'damaged');
broken('an empty file', sub { truncate $keyring, 0 }, 'damaged');
broken('a link', sub { unlink $keyring; symlink "$keys/second", $keyring }, 'symbolic link');
broken('an older keyring', sub { put_file($keyring, $first) }, 'an older one');
broken('a foreign keyring', sub { put_file($keyring, content_of("$keys/second")) }, 'another server');
{
	my $offset = -s $node->logfile;

	chmod 0770, $keys;
	error_like($node, 'SELECT make_epoch(3)', '58030', $HINT, 'no epoch is made in a folder that others may write in', database => 'calls');
	like(status_of('keyring'), qr/^memory: .*The folder of the keyring file/, 'status() says so');
	chmod 0700, $keys;
	like(status_of('keyring'), qr/^ready/, 'until it is closed');
	is(() = log_since($node, $offset) =~ /goes on with the keyring in memory/g, 1, 'the log said it once');
}
is(calls('make_epoch(3)'), 88, 'then epochs are made again');

# A process is killed while the file is missing: what the postmaster loaded is enough to go on.
my $current = content_of($keyring);
unlink $keyring;
my $victim = session($node);
my $pid = $victim->query_safe('SELECT pg_backend_pid()');
ok(crash_by($node, sub { kill 'KILL', $pid }), 'the server comes back from a crash without its keyring\'s file');
like(status_of('keyring'), qr/^memory/, 'and says that it works from memory');
readable('what was stored is read');
ok(!-e $keyring, 'no other keyring was made');
put_file($keyring, $current);
is(calls('make_epoch(3)'), 89, 'with the file it goes on counting');
eval { $victim->quit };

# Leftovers, links, and what is overwritten.
my $elsewhere = put_file("$keys/elsewhere", 'precious');
put_file("$keyring.new", 'left by a crash');
is(calls('make_epoch(3)'), 90, 'a leftover of a crash is in nobody\'s way');
ok(!-e "$keyring.new", 'and is gone');
symlink $elsewhere, "$keyring.new";
is(calls('make_epoch(3)'), 91, 'nor is a link');
is(content_of($elsewhere), 'precious', 'which is not followed');
link $elsewhere, "$keyring.new";
is(calls('make_epoch(3)'), 92, 'nor a second name of something');
is(content_of($elsewhere), 'precious', 'which is not written to');
mkdir "$keyring.new";
$current = content_of($keyring);
error_like($node, 'SELECT make_epoch(3)', '58030', $HINT, 'a folder of that name is', database => 'calls');
is(content_of($keyring), $current, 'and then nothing changes');
rmdir "$keyring.new";
open(my $old, '<:raw', $keyring) or die $!;
link $keyring, "$keys/copy";
is(calls('make_epoch(3)'), 93, 'a keyring with a second name');
is(content_of("$keys/copy"), $current, 'keeps it when nothing is destroyed');
unlink "$keys/copy";
link $keyring, "$keys/copy";
my ($line) = content_of($keyring) =~ /^(epoch billing 7 .*)$/m;
ok($line, 'there is an epoch');
is(calls('destroy_epochs(3, 8)'), 4, 'epochs are destroyed');
like(content_of("$keys/copy"), qr/^\0+$/, 'and the file that held them is overwritten, under every name');
open(my $next, '<:raw', $keyring) or die $!;
calls('make_epoch(3)');
like(do { local $/; <$next> }, qr/^\0+$/, 'so is one that is replaced');
close $_ foreach $old, $next;

# A disk that fails, and processes that die, at each step.
my $fault = $node->basedir . '/fault';
$node->stop;
$ENV{KEYRING_FAULT} = $fault;

sub start_with_faults
{
	local $ENV{LD_PRELOAD} = $fault_library;

	return $node->start;
}
start_with_faults();

sub epochs
{
	my $numbers = sql("SELECT string_agg(number::text, ',' ORDER BY number) FROM paws_sync.keyring() WHERE kind = 'epoch' AND root = 'billing'");

	return calls("string_agg(number || ' ' || encode(epoch_digest(3, number), 'hex'), ', ' ORDER BY number) FROM unnest('{$numbers}'::int[]) AS number");
}

foreach my $step (qw(write fsync rename))
{
	foreach my $error ($ENOSPC, $EIO)
	{
		my ($content, $known) = (content_of($keyring), epochs());

		put_file($fault, "$step $error\n");
		error_like($node, 'SELECT make_epoch(3)', '58030', $HINT, "$step fails with error $error: no epoch", database => 'calls');
		error_like($node, 'SELECT destroy_epochs(3, 1000)', '58030', $HINT, 'none destroyed', database => 'calls');
		error_like($node, 'SELECT destroy_epochs(3, 1000)', '58030', $HINT, 'nor by the next session', database => 'calls');
		is(content_of($keyring), $content, 'the file is what it was');
		is(epochs(), $known, 'and so are the keys');
		ok(!-e "$keyring.new", 'nothing is left behind');
		unlink $fault;
	}
}
my $known = epochs();
put_file($fault, "folder $EIO\n");
error_like($node, 'SELECT make_epoch(3)', '58030', $HINT, 'the folder cannot be made durable: an error', database => 'calls');
unlink $fault;
my $number = calls('make_epoch(3)');
like(epochs(), qr/^\Q$known\E, .*\b$number [0-9a-f]+$/, 'no key is lost, and no number given twice');
my $offset = -s $node->logfile;
put_file($fault, "sync $EIO\n");
is(calls('destroy_epochs(3, 20)'), 12, 'the old file cannot be overwritten: epochs are destroyed');
like(log_since($node, $offset), qr/the keyring that was replaced could not be overwritten/, 'and the log says what is left');
unlink $fault;

foreach my $step (qw(write fsync rename folder overwrite sync))
{
	my $before = epochs();
	my $last = calls('current_epoch(3)');

	put_file($fault, "$step kill\n");
	ok( crash_by(
			$node,
			sub {
				my ($status) = PawsNode::quiet_psql($node, 'SELECT make_epoch(3)', 'calls');

				isnt($status, 0, "a process dies at $step");
				unlink $fault;
			}),
		'the server comes back');
	like(status_of('keyring'), qr/^ready/, 'with a good keyring');
	like(epochs(), qr/^\Q$before\E(, \d+ [0-9a-f]+)?$/, 'in which nothing is lost');
	cmp_ok(calls('make_epoch(3)'), '>', $last, 'and which can be changed');
	ok(!-e "$keyring.new", 'leftovers are gone');
	$node->stop;
	start_with_faults();
	like(epochs(), qr/^\Q$before\E, /, 'also after a start');
}
$node->stop;
$node->start;

# Killed at random while it is being replaced over and over.
seed_random();
my $script = put_file($node->basedir . '/loop.sql', "SELECT make_epoch(3) AS n, epoch_digest(3, current_epoch(3)) \\gset\n\\echo :n :epoch_digest\nSELECT destroy_epochs(3, :n - 5) AS gone \\gset\n" x 3000);
my ($lost, $repeated, $highest) = (0, 0, calls('current_epoch(3)'));
for my $round (1 .. 8)
{
	my ($out, $err) = map { $node->basedir . "/loop.$_" } qw(out err);
	my $client = start_psql($node, $script, $out, $err, 'calls');
	my $backend;

	usleep(100_000 + int(rand(150_000)));
	$backend = sql("SELECT pid FROM pg_stat_activity WHERE datname = 'calls'");
	crash_by(
		$node,
		sub {
			usleep(int(rand(3_000)));
			kill 'KILL', $backend or die 'nobody to kill';
			waitpid($client, 0);
		});
	like(status_of('keyring'), qr/^ready/, "round $round: the keyring is good");
	my @told = map { [ split ' ' ] } split /\n/, slurp_file($out);
	ok(@told > 0, scalar(@told) . ' epochs were made');
	foreach my $epoch (@told)
	{
		$repeated++ if $epoch->[0] <= $highest;
		$highest = $epoch->[0];
	}
	foreach my $epoch (grep { $_->[0] > $highest - 4 } @told)
	{
		$lost++ if calls("epoch_digest(3, $epoch->[0])") ne $epoch->[1];
	}
	$highest = sql('SELECT max(number) FROM paws_sync.keyring() WHERE root = \'billing\'');
}
is($lost, 0, 'no epoch that was given was lost');
is($repeated, 0, 'no number was given twice');
like(content_of($keyring), qr/^highest \d+ \d+ $highest$/m, 'the file knows the highest one');
cmp_ok(scalar(() = content_of($keyring) =~ /^destroyed/mg), '<=', 1024, 'and is bounded');
readable('what was stored is read');

# Two roots at once, and the way from one to the other.
my $old_root = content_of("$keys/care.root");
my $new_line = '2 ' . join('', map { sprintf '%02x', int(rand(256)) } 1 .. 32) . "\n";
my $before = calls('base_digest(1), base_digest(2), epoch_digest(1, 1), epoch_digest(1, 2)') . epochs();
sub as_before
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(calls('base_digest(1), base_digest(2), epoch_digest(1, 1), epoch_digest(1, 2)') . epochs(), $before, $_[0]);
	return readable('and what was stored is read');
}
put_file("$keys/care.root", "$old_root$new_line");
$node->restart;
as_before('with a second id all keys are the same');
my $stale = calls('count_stale(1)');
is($stale, 3, 'all entries of the root are wrapped under the old id');
is(calls('count_stale(2)'), 0, 'none of another root');
put_file($keys . '/backup', content_of($keyring));
is(calls('rewrap(1)'), $stale, 'all are wrapped anew');
is(calls('rewrap(1), count_stale(1)'), '0|0', 'once');
is(sql(q{SELECT string_agg(DISTINCT root || ' ' || root_id, ', ') FROM paws_sync.keyring() WHERE kind <> 'destroyed'}),
	'billing 1, care 2, crisis 1', 'under the new id');
as_before('and are the same');
put_file("$keys/care.root", $new_line);
$node->restart;
as_before('without the old id too');
is(sql("SELECT paws_sync.subject_for('one')"), $subject, 'tokens are what they were');
put_file("$keys/care.root", $old_root);
$node->restart;
like(status_of('keys care'), qr/^none: The keyring does not open/, 'the old id alone opens nothing');
is(calls('count_stale(1)'), $stale, 'and all counts as stale');
put_file("$keys/care.root", "$old_root$new_line");
$node->restart;
as_before('with both all is there');

# A keyring that is full.
my $entries = sql("SELECT count(*) FROM paws_sync.keyring() WHERE kind <> 'destroyed'");
calls("make_epoch(3) FROM generate_series(1, 512 - $entries)");
$current = content_of($keyring);
error_like($node, 'SELECT make_epoch(3)', '54000', qr/Destroy epochs/, 'a full keyring takes no more epochs', database => 'calls');
is(content_of($keyring), $current, 'and is not changed');
cmp_ok(calls('destroy_epochs(3, 100000)'), '>', 400, 'destroying some');
like(calls('make_epoch(3)'), qr/^\d+$/, 'makes room');
ok(-s $keyring < 262144, 'the file is small');

crash_free_but_killed($node);
$node->stop;
done_testing();

# Like crash_free, but for the processes that this test killed.
sub crash_free_but_killed
{
	my @bad = grep { /PANIC|was terminated by signal (?!9)|TRAP:/ } split /\n/, slurp_file($_[0]->logfile);

	return is(join("\n", @bad), '', 'no process crashed by itself');
}
