# The care root: without it the server starts and says what is wrong; the right one again, and everything is as
# before; another one opens nothing and destroys nothing.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $HINT = qr/"paws_sync.care_root"/;

my $node = PawsNode->new_node('keys', 'paws_sync.apply_at_once' => 'off');
my $right = $node->basedir . '/keys/care.root';
my $place = $node->basedir . '/place';
mkdir $place, 0700;

sub content_of
{
	my ($path) = @_;

	open(my $file, '<:raw', $path) or die "$path: $!";
	local $/;
	return scalar <$file>;
}

# The setting that names a new file.
sub key_file
{
	my ($name, $content, $mode) = @_;
	my $path = "$place/$name";

	unlink $path;
	open(my $file, '>:raw', $path) or die "$path: $!";
	print $file $content;
	close $file;
	chmod $mode // 0600, $path;
	return "file:$path";
}

sub start_with
{
	my ($root, $keyring) = @_;

	$node->stop if $node->{_pid};
	$node->adjust_conf('postgresql.conf', 'paws_sync.care_root', "'$root'");
	$node->adjust_conf('postgresql.conf', 'paws_sync.keyring_file', "'" . ($keyring // $node->basedir . '/keys/keyring') . "'");
	return $node->start(fail_ok => 1);
}

sub key_status
{
	return $node->safe_psql('postgres', "SELECT state || ': ' || detail FROM paws_sync.status() WHERE component = 'keys care'");
}

my $text = content_of($right);
my ($hex) = $text =~ /^1 ([0-9a-f]{64})$/;
my $subject = new_subject($node, 'one', 'premium');
my $device = new_device($node, 'one');
my $other = new_device($node, 'one', 'web');
paws_push($node, $device, [ op_json('standard', payload => 'ordinary'), op_json('safety', payload => 'crisis') ]);
wait_applied($node);
my (undef, $cursor) = paws_pull($node, $device);
set_option($node, 'paws_sync.databases', "''");
ok(has_workers($node, 'postgres', 0), 'workers off');
is($node->safe_psql('postgres', push_some($device, 5)), 5, 'something waits');
# for the next start: until then nobody works on it
$node->safe_psql('postgres', "ALTER SYSTEM SET paws_sync.databases = 'postgres'");
$node->stop;

# Some of what can be wrong (072_roots.pl has the rest), and what status() says of it.
my @wrong = (
	[ 'no root configured', '', qr/^none: No provider is configured/ ],
	[ 'a missing file', "file:$place/nothing", qr/^none: .* does not exist/ ],
	[ 'a file open to others', key_file('others', $text, 0604), qr/^none: .*accessible to its group or to others/ ],
	[ 'a file without an id', key_file('bare', 'ab' x 32), qr/^none: .*does not begin with an id/ ],
	[ 'a command that fails', 'command:/bin/false', qr/^none: .*did not end with status 0/ ]);

foreach my $case (@wrong)
{
	my ($what, $path, $state) = @$case;

	ok(start_with($path), "the server starts with $what");
	like(key_status(), $state, 'status() says so');
	error_like($node, "SELECT paws_sync.subject_for('one')", '55000', $HINT, 'subject_for fails with a hint');
}
error_like($node, "SELECT * FROM paws_sync.push('$device', '[]')", '55000', $HINT, 'push too');
error_like($node, "SELECT * FROM paws_sync.push_many('$device', '{}', '{}', '{}', '{}', '{}')", '55000', $HINT, 'push_many too');
error_like($node, "SELECT * FROM paws_sync.pull('$device')", '55000', $HINT, 'pull too');
error_like($node, "SELECT * FROM paws_sync.pull_wait('$device')", '55000', $HINT, 'pull_wait too');
error_like($node, "SELECT paws_sync.register_device('$subject', 'ios')", '55000', $HINT, 'register_device too');
error_like($node, "SELECT * FROM paws_sync.devices('$subject')", '55000', $HINT, 'devices too');
is($node->safe_psql('postgres', "SELECT '$device'::paws_sync.device"), $device, 'tokens are read and written without keys');
is($node->safe_psql('postgres', 'SELECT sum(depth) FROM paws_sync.pg_stat_paws_sync_lanes'), 5, 'what waits is counted') if has_workers($node, 'postgres', 2);
is(depth_rows($node), 5, 'and not touched');
$node->safe_psql('postgres', "CREATE DATABASE fresh");
$node->safe_psql('fresh', 'SET client_min_messages = warning; CREATE EXTENSION paws_sync CASCADE');
pass('CREATE EXTENSION needs no key');
like(slurp_file($node->logfile), qr/paws_sync runs without its care root/, 'the log says it at the start');
unlike(slurp_file($node->logfile), qr/$hex/i, 'the key is not in the log');
is($node->safe_psql('postgres', "SET SESSION AUTHORIZATION pg_monitor; SELECT count(*) FROM pg_settings WHERE name = 'paws_sync.care_root' AND setting <> ''"),
	$node->safe_psql('postgres', "SELECT count(*) FROM pg_settings WHERE name = 'paws_sync.care_root' AND setting <> ''"), 'monitoring sees the path')
  ;
$node->safe_psql('postgres', 'CREATE ROLE plain LOGIN');
error_like($node, 'SHOW paws_sync.care_root', '42501', undef, 'others do not', user => 'plain');

# Another key, well-formed, but not ours: the keyring does not open with it, and a new keyring is not ours either.
my $foreign = key_file('other', '1 ' . 'ab' x 32);
ok(start_with($foreign), 'the server starts with another key');
like(key_status(), qr/^none: The keyring does not open with this root key/, 'status() says that it does not open the keyring');
error_like($node, "SELECT * FROM paws_sync.push('$device', '[]')", '55000', $HINT, 'push fails with a hint');
ok(start_with($foreign, "$place/keyring"), 'the server starts with another key and without a keyring');
like(key_status(), qr/^wrong: .*not those that this database was used with/, 'status() says that they are not those of this database');
like($node->safe_psql('postgres', "SELECT hint FROM paws_sync.doctor() WHERE check_name = 'keys care'"),
	qr/put both back, and restart/, 'doctor() says what to do');
ok(has_workers($node, 'postgres', 2), 'there are workers');
error_like($node, "SELECT paws_sync.subject_for('one')", '55000', $HINT, 'nobody gets another pseudonym than before');
error_like($node, "SELECT * FROM paws_sync.push('$device', '[]')", 'PW001', $HINT, 'tokens of the first key are refused by push');
error_like($node, "SELECT * FROM paws_sync.pull('$device')", 'PW001', $HINT, 'by pull');
error_like($node, "SELECT * FROM paws_sync.devices('$subject')", 'PW001', $HINT, 'by devices');
error_like($node, "SELECT paws_sync.revoke_device('$device')", 'PW001', $HINT, 'by revoke_device');
error_like($node, "SELECT * FROM paws_sync.pull_wait('$device', '$cursor')", 'PW001', $HINT, 'by pull_wait');

# Workers that went on with it would seal what waits so that nobody could ever read it.
ok(until_sql($node, "SELECT min(batches) > 2 FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'scheduler'"), 'workers have had their turns');
is(depth_rows($node), 5, 'what waited under the first key still waits');
is($node->safe_psql('postgres', 'SELECT count(*) FROM paws_care.feed'), 1, 'and has no receipts');

# A device that is put beside the documents of another key, if one can be made at all.
my $made = error_of($node, "SELECT paws_sync.register_device(paws_sync.subject_for('one'), 'ios')");
if ($made->{sqlstate} eq '')
{
	my $intruder = $made->{output};
	$node->safe_psql('postgres',
		"UPDATE paws_registry.device SET subject_no = (SELECT subject_no FROM paws_registry.subject WHERE subject::text = '$subject') WHERE device::text = '$intruder'");
	error_like($node, "SELECT * FROM paws_sync.pull('$intruder')", 'PW003', undef, 'a device put beside the documents cannot open them');
	error_like($node, "SELECT * FROM paws_sync.push('$intruder', '[" . op_json('safety') . "]')", 'PW003', undef, 'nor add to them');
	$node->safe_psql('postgres', "DELETE FROM paws_registry.device WHERE device::text = '$intruder'");
}
else
{
	like($made->{sqlstate}, qr/^(55000|PW00[13])$/, 'no device is made with a key that is not that of the database');
	like($made->{hint}, $HINT, 'with a hint');
}

# The right one again, in each of its forms.
foreach my $case ([ 'without a newline', key_file('hex', "1 $hex") ], [ 'in capital digits', key_file('line', '1 ' . uc($hex) . "\n", 0400) ],
	[ 'from a command', "command:/bin/cat $right" ])
{
	ok(start_with($case->[1]), "the right key $case->[0]");
	like(key_status(), qr/^ready/, 'is loaded');
	is($node->safe_psql('postgres', "SELECT paws_sync.subject_for('one')"), $subject, 'and gives the same subject');
}
wait_applied($node);
my ($rows) = paws_pull($node, $other);
is(join(' ', sort grep { $_ ne 'hello' } map { $_->{payload} } @$rows), 'crisis ordinary', 'all that was stored is read');
is(scalar(grep { $_->{payload} eq 'hello' } @$rows), 5, 'what waited was applied');
($rows) = paws_pull($node, $device, $cursor);
is(join(' ', map { "$_->{kind} $_->{outcome}" } @$rows), join(' ', ('receipt applied') x 5), 'the cursor of before goes on');
crash_free($node);
$node->stop;
done_testing();
