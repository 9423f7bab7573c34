# The providers of roots: whatever is wrong with a file or a command, the server starts without that root, and its
# log and the errors say which root, which setting and what to do; commands leave no process behind.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use POSIX qw(mkfifo);
use Test::More;

use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('roots', -no_extension => 1, 'paws_sync.databases' => '');
$node->safe_psql('postgres', 'SET client_min_messages = warning; CREATE EXTENSION paws_sync CASCADE');
my $place = $node->basedir . '/place';
mkdir $place, 0700;
my @roots = qw(care crisis billing);
my %right = map { $_ => 'file:' . $node->basedir . "/keys/$_.root" } @roots;
my $serial = 0;
my $keys = 0;

# A key that no other has.
sub new_key
{
	return sprintf '%08x%s', ++$keys, 'c5' x 28;
}

sub put
{
	my ($content, $mode, $folder) = @_;
	my $path = ($folder // $place) . '/' . ++$serial;

	open(my $file, '>:raw', $path) or die "$path: $!";
	print $file $content;
	close $file;
	chmod $mode // 0600, $path or die "$path: $!";
	return $path;
}

sub script
{
	my ($content, $mode, $folder) = @_;
	return put("#!/bin/sh\n$content\n", $mode // 0700, $folder);
}

sub folder
{
	my ($mode) = @_;
	my $path = "$place/" . ++$serial;

	mkdir $path or die "$path: $!";
	chmod $mode, $path;
	return $path;
}

# Starts the server with these roots, the others being right; its log since, by root: '' where it is loaded.
sub start_with
{
	my (%value) = @_;
	my %said;

	$node->stop if $node->{_pid};
	foreach my $root (@roots)
	{
		my $text = $value{$root} // $right{$root};

		$text =~ s/'/''/g;
		$node->adjust_conf('postgresql.conf', "paws_sync.${root}_root", "'$text'");
	}
	my $from = -s $node->logfile;
	$node->start(fail_ok => 1) or return;
	my $log = log_since($node, $from);
	foreach my $root (@roots)
	{
		my ($lines) = $log =~ /(LOG:  paws_sync runs without its $root root .*\n.*DETAIL:  .*\n.*HINT:  .*\n)/;
		$said{$root} = $lines // ($log =~ /without its $root root/ ? 'half of it' : '');
	}
	return \%said;
}

# Each case once, three to a start, and each third one in the place of the care root, where SQL meets it.
sub refuse
{
	my (@cases) = @_;

	while (@cases)
	{
		my %case;

		foreach my $root (@roots) { $case{$root} = shift @cases if @cases; }
		my $said = start_with(map { $_ => $case{$_}[1] } keys %case);

		ok($said, 'the server starts') or return;
		foreach my $root (@roots)
		{
			my $case = $case{$root};

			next unless $case;
			like($said->{$root}, qr/DETAIL:  $case->[2].*\n.*HINT:  Let "paws_sync\.${root}_root" name .*$case->[3].*restart the server\./,
				"$root: $case->[0]");
		}
		my $error = error_of($node, "SELECT paws_sync.subject_for('one')");
		is($error->{sqlstate}, '55000', 'SQL says so');
		like("$error->{detail} / $error->{hint}", qr/^$case{care}[2].* \/ Let "paws_sync\.care_root" name .*$case{care}[3]/, 'with the reason');
	}
	return;
}

sub loads
{
	my ($name, %value) = @_;
	my $said = start_with(%value);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($said, "the server starts: $name") or return;
	is(join('', values %$said), '', "loaded: $name");
	return;
}

# Processes that the server's first one started, and any whose command line holds this text.
sub children_of
{
	my ($pid) = @_;
	return grep { (slurp_if("/proc/$_/stat") // '') =~ /^\d+ \(.*\) (\S) $pid / } pids();
}

sub zombies_of
{
	my ($pid) = @_;
	return grep { (slurp_if("/proc/$_/stat") // '') =~ /^\d+ \(.*\) Z $pid / } pids();
}

sub running
{
	my ($mark) = @_;
	return grep { my $line = slurp_if("/proc/$_/cmdline"); defined $line && index($line, $mark) >= 0 } pids();
}

sub pids
{
	opendir(my $folder, '/proc') or return;
	return grep { /^\d+$/ && $_ != $$ } readdir $folder;
}

sub slurp_if
{
	my ($path) = @_;

	open(my $file, '<', $path) or return undef;
	local $/;
	return scalar <$file>;
}

my $line = '1 ' . new_key();
my $key = substr $line, 2;

# Files.
symlink(put("$line\n"), "$place/symlink");
symlink($place, "$place/way");
mkfifo("$place/fifo", 0600);
my $inside = put("$line\n", 0600, $node->data_dir);
my $inside_name = (split m{/}, $inside)[-1];
my @files = (
	[ 'nothing', '', 'No provider is configured', 'a provider, as in "file:/etc' ],
	[ 'a path without provider', $node->basedir . '/keys/care.root', '.*does not begin with the name of a provider', '"file:" or "command:"' ],
	[ 'an unknown provider', 'vault:/x', '.*does not begin with the name of a provider', '"file:" or "command:"' ],
	[ 'a provider in capitals', "FILE:$place/x", '.*does not begin with the name of a provider', '"file:" or "command:"' ],
	[ 'a provider and a space', ' file:/x', '.*does not begin with the name of a provider', '"file:" or "command:"' ],
	[ 'a provider alone', 'file:', '.*not absolute', 'an absolute path' ],
	[ 'a relative path', 'file:keys/care.root', '.*not absolute', 'an absolute path' ],
	[ 'a missing file', "file:$place/nothing", 'The file .* does not exist', 'can read' ],
	[ 'a file that cannot be read', 'file:' . put("$line\n", 0), 'The file .* cannot be read', 'can read' ],
	[ 'a file open to the group', 'file:' . put("$line\n", 0640), '.*accessible to its group or to others', 'mode 0600' ],
	[ 'a file open to others', 'file:' . put("$line\n", 0604), '.*accessible to its group or to others', 'mode 0600' ],
	[ 'a file that others may run', 'file:' . put("$line\n", 0601), '.*accessible to its group or to others', 'mode 0600' ],
	[ 'a symbolic link', "file:$place/symlink", '.*symbolic link', 'a regular file' ],
	[ 'a pipe', "file:$place/fifo", '.*not a regular file', 'a regular file' ],
	[ 'a folder', "file:$place", '.*not a regular file', 'a regular file' ],
	[ 'a device', 'file:/dev/zero', '.*not a regular file', 'a regular file' ],
	[ 'a file in the data directory', "file:$inside", '.*in the data directory', 'outside the data directory' ],
	[ 'the same by a detour', 'file:' . $node->data_dir . "/../pgdata/global/../$inside_name", '.*in the data directory', 'outside' ],
	[ 'a folder that the group can write to', 'file:' . put("$line\n", 0600, folder(0770)), 'The folder .* can be written to by others', 'a folder with mode 0700' ],
	[ 'a folder that others can write to', 'file:' . put("$line\n", 0600, folder(0702)), 'The folder .* can be written to by others', 'a folder with mode 0700' ],
	[ 'an empty file', 'file:' . put(''), '.*gives nothing', '1 to 8 lines' ],
	[ '32 bytes', 'file:' . put(pack('H*', $key)), 'A (line|key) of this root', '1 to 8 lines' ],
	[ 'a key without id', 'file:' . put("$key\n"), '.*does not begin with an id', '1 to 8 lines' ],
	[ '63 digits', 'file:' . put('1 ' . substr($key, 1) . "\n"), '.*is not 64 hexadecimal digits', '1 to 8 lines' ],
	[ '65 digits', 'file:' . put("${line}0\n"), 'A line of this root', '1 to 8 lines' ],
	[ 'an empty line at the end', 'file:' . put("$line\n\n"), '.*does not begin with an id', '1 to 8 lines' ],
	[ 'lines of another system', 'file:' . put("$line\r\n"), 'A line of this root', '1 to 8 lines' ],
	[ 'a key of zeros', 'file:' . put('1 ' . '0' x 64 . "\n"), '.*all zeros', 'random keys' ],
	[ 'ids that descend', 'file:' . put('2 ' . new_key() . "\n$line\n"), '.*not in ascending order', 'ascending' ],
	[ 'nine lines', 'file:' . put(join '', map { "$_ " . new_key() . "\n" } 1 .. 9), '.*more than 8 lines', '1 to 8 lines' ],
	[ 'a large file', 'file:' . put("$line\n" x 10_000), '.*gives too much', '1 to 8 lines' ],
	[ 'a key under two ids', 'file:' . put("$line\n2 $key\n"), 'Two ids of this root have the same key', 'of its own for each id' ]);
refuse(@files);

# What is good, in each of its forms. A sticky folder is one in which nobody can replace another's file.
loads('one line', care => 'file:' . put("$line\n"));
loads('without newline, mode 0400', care => 'file:' . put($line, 0400));
loads('capital digits, in a sticky folder', crisis => 'file:' . put('1 ' . uc(new_key()) . "\n", 0600, folder(01777)));
loads('by a link to the folder', billing => "file:$place/way/" . (split m{/}, put('1 ' . new_key() . "\n"))[-1]);
loads('two ids', care => 'file:' . put("$line\n7 " . new_key() . "\n"), crisis => 'file:' . put('2147483646 ' . new_key() . "\n2147483647 " . new_key()));
unlike(slurp_file($node->logfile), qr/$key/i, 'no key is in the log');

# A root that another one is too: neither is taken, for nobody knows which is right. Id and letters do not matter.
my $said = start_with(crisis => 'file:' . put('3 ' . new_key() . "\n4 $key\n"), billing => 'file:' . put('9 ' . uc($key) . "\n"));
is($said->{care}, '', 'two equal roots: the third is taken');
like($said->{$_}, qr/DETAIL:  A key of this root is also one of another root\..*\n.*HINT:  Let "paws_sync\.${_}_root" name a provider with keys that no other root has/,
	"$_: refused")
  foreach qw(crisis billing);
$said = start_with(map { $_ => "file:" . put("1 $key\n") } @roots);
is(scalar(grep { /also one of another/ } values %$said), 3, 'three equal roots: none is taken');

# An owner that is neither of the two: in a user namespace of its own the server sees files of root as those of nobody.
SKIP:
{
	my @apart = ('unshare', '--user', '--map-user=' . $>, '--map-group=' . (split / /, $))[0]);

	skip 'no user namespaces here', 4 if system("@apart true 2>/dev/null") != 0;
	$node->stop;
	$node->adjust_conf('postgresql.conf', 'paws_sync.care_root', q('file:/etc/passwd'));
	$node->adjust_conf('postgresql.conf', 'paws_sync.crisis_root', q('command:/bin/cat /etc/passwd'));
	$node->adjust_conf('postgresql.conf', 'paws_sync.billing_root', "'file:" . put("1 $key\n", 0600) . "'");
	my $from = -s $node->logfile;
	is(system(@apart, 'pg_ctl', '-w', '-s', '-D', $node->data_dir, '-l', $node->logfile, 'start'), 0, 'the server starts where root is nobody');
	$node->_update_pid(1);
	my $log = log_since($node, $from);
	like($log, qr/without its care root.*\n.*DETAIL:  The file of this root belongs neither to the user that runs the server nor to root\..*\n.*HINT:  Let "paws_sync\.care_root" name a file that the server's user owns/,
		'the file of another user');
	like($log, qr/without its crisis root.*\n.*DETAIL:  The program of this root does not exist, cannot be executed, or can be written to by others/, 'the program of another user');
	unlike($log, qr/without its billing root/, 'the file of its own');
}

# Commands that are not run at all.
my $good = script("echo 1 $key");
my $ran = "$place/ran";
my $touch = "echo >>$ran; echo 1 $key";
symlink($good, "$place/link");
my @commands = (
	[ 'no program', 'command:', '.*not absolute', 'an absolute path' ],
	[ 'a program without its path', 'command:cat /etc/passwd', '.*not absolute', 'an absolute path' ],
	[ 'a space before it', "command: $good", '.*not absolute', 'an absolute path' ],
	[ 'a program that is not there', "command:$place/nothing", 'The program .* does not exist', 'can execute' ],
	[ 'one that cannot be executed', 'command:' . script($touch, 0600), 'The program .* cannot be executed', 'can execute' ],
	[ 'a folder', "command:$place", 'The program .* cannot be executed', 'can execute' ],
	[ 'a program open to the group', 'command:' . script($touch, 0770), 'The program .* can be written to by others', 'only root or the server' ],
	[ 'a program open to others', 'command:' . script($touch, 0702), 'The program .* can be written to by others', 'only root or the server' ],
	[ 'a folder open to others', 'command:' . script($touch, 0700, folder(0703)), 'The folder .* can be written to by others', 'mode 0700' ],
	[ 'two spaces', "command:$good  x", '.*an empty word or too many', 'single spaces' ],
	[ 'a space at the end', "command:$good ", '.*an empty word or too many', 'single spaces' ],
	[ '32 arguments', "command:$good" . ' x' x 32, '.*an empty word or too many', 'at most 31' ],
	[ 'a very long one', "command:$good " . 'x' x 5000, '.*an empty word or too many', 'at most 31' ],

	# And commands that go wrong.
	[ 'one that exits with 1 behind a good answer', 'command:' . script("echo 1 $key; exit 1"), '.*did not end with status 0', 'ends with status 0' ],
	[ 'one that is killed', 'command:' . script("echo 1 $key; kill -9 \$\$"), '.*did not end with status 0', 'ends with status 0' ],
	[ 'one that no interpreter is there for', 'command:' . put("#!$place/nothing\n", 0700), '.*did not end with status 0', 'ends with status 0' ],
	[ 'one that is no program', 'command:' . put("\x7fELF no program", 0700), '.*did not end with status 0', 'ends with status 0' ],
	[ 'one that says nothing', 'command:/bin/true', '.*gives nothing', '1 to 8 lines' ],
	[ 'one that says something else', 'command:/bin/echo hello', '.*does not begin with an id', '1 to 8 lines' ],
	[ 'one that says more', 'command:' . script("echo 1 $key; echo thanks"), '.*does not begin with an id', '1 to 8 lines' ],
	[ 'one that says nothing but to the error output', 'command:' . script("echo 1 $key >&2"), '.*gives nothing', '1 to 8 lines' ],
	[ 'one that never stops to talk', 'command:/usr/bin/yes', '.*gives too much', '1 to 8 lines' ],
	[ 'one that says too much and ends', 'command:' . script("head -c 100000 /dev/zero"), '.*gives too much', '1 to 8 lines' ],
	[ 'no shell', "command:/bin/echo 1 $key; exit", '.*line of this root', '1 to 8 lines' ],
	[ 'no quotes', "command:/bin/echo \"1 $key\"", '.*does not begin with an id', '1 to 8 lines' ],
	[ 'no variables', 'command:/bin/echo 1 $KEY', '.*is not 64 hexadecimal digits', '1 to 8 lines' ]);
refuse(@commands);
ok(!-e $ran, 'what must not be run was not');

# A command that hangs is ended with all that it started; so is one that will not listen, or goes silent, or leaves
# somebody behind who holds its output.
my $mark = 'paws_test_' . $$ . '_' . int(time);
my $sleep = "exec -a $mark sleep 600";
$node->stop;
$node->append_conf('postgresql.conf', "paws_sync.root_command_timeout = 400\n");
sub bash_script { return put("#!/bin/bash\n$_[0]\n", 0700) }
my @slow = (
	[ 'one that hangs', 'command:' . bash_script("echo 1 $key; $sleep"), '.*did not end in time', '"paws_sync.root_command_timeout"' ],
	[ 'with children', 'command:' . bash_script("for i in 1 2 3; do ($sleep) & done; echo 1 $key; wait"), '.*did not end in time', '"paws_sync.root_command_timeout"' ],
	[ 'deaf to signals', 'command:' . bash_script("trap '' TERM INT HUP QUIT; ($sleep); echo 1 $key; $sleep"), '.*did not end in time', '"paws_sync.root_command_timeout"' ],
	[ 'that closed its output', 'command:' . bash_script("echo 1 $key; exec >&-; $sleep"), '.*did not end in time', '"paws_sync.root_command_timeout"' ],
	[ 'that left somebody with its output', 'command:' . bash_script("($sleep) & echo 1 $key"), '.*did not end in time', '"paws_sync.root_command_timeout"' ],
	[ 'one that says too much and hangs', 'command:' . bash_script("head -c 2000 /dev/zero; $sleep"), '.*gives too much', '1 to 8 lines' ]);
refuse(@slow[0 .. 2]);
is(join(' ', running($mark)), '', 'nothing of them runs');
refuse(@slow[3 .. 5]);
is(join(' ', running($mark)), '', 'nor of these');
$node->stop;
$node->append_conf('postgresql.conf', "paws_sync.root_command_timeout = 5s\n");

# Good commands.
my $other = new_key();
loads('a command', care => "command:$good");
loads('arguments', care => 'command:/bin/cat ' . put("$line\n"), crisis => "command:/bin/echo 1 $other", billing => "command:/usr/bin/printf 1\\\\x20%s " . new_key());
loads('a link to a program', care => "command:$place/link");
loads('words to the error output', care => 'command:' . script("echo $mark >&2; echo 1 $key"));
loads('words in pieces', care => 'command:' . script("printf '1 '; sleep 0.1; printf %s " . substr($key, 0, 30) . '; sleep 0.1; echo ' . substr($key, 30)));
loads('somebody left who closed its output', care => 'command:' . bash_script("(exec -a $mark sleep 600) >&- & echo 1 $key"));
my @left = running($mark);
is(scalar @left, 1, 'who may stay');
kill 'KILL', @left;
unlike(slurp_file($node->logfile), qr/$mark/, 'what it says to the error output is not in the log');

# How a command is run.
my $report = "$place/report";
my $look = put(<<"EOP", 0700);
#!/usr/bin/perl
open(my \$out, '>', '$report') or exit 1;
open(my \$status, '<', '/proc/self/status');
print \$out map { "\$_\\n" } 'env ' . join(',', sort keys %ENV), "path \$ENV{PATH}", 'args ' . join(',', \@ARGV),
	'name ' . \$0, 'group ' . (getpgrp() == \$\$ ? 'own' : 'foreign'), 'input ' . (defined(scalar <STDIN>) ? 'some' : 'none'),
	'mask ' . umask, 'files ' . join(',', grep { my \$at = readlink("/proc/self/fd/\$_"); \$at && \$at !~ m{^(/proc/|$report)} && \$at ne \$0 } 0 .. 1000);
print \$out grep { /^Sig(Blk|Ign)/ } <\$status>;
print \$out 'place ', readlink('/proc/self/cwd'), "\\n";
close \$out;
print "1 $key\\n";
EOP
loads('one that looks around', care => "command:$look a '*' \$HOME");
my $found = slurp_if($report) // '';
like($found, qr/^env PATH$/m, 'it has a PATH and no other environment');
like($found, qr{^path (/usr/local/sbin:)?[/a-z:]+$}m, 'a constant one');
like($found, qr/^args a,'\*',\$HOME$/m, 'its arguments as they stand');
like($found, qr/^name \Q$look\E$/m, 'its name');
like($found, qr/^group own$/m, 'a process group');
like($found, qr/^input none$/m, 'no input');
like($found, qr/^mask 63$/m, 'files it makes are its own');
like($found, qr/^files 0,1,2$/m, 'three descriptors');
like($found, qr{^place /$}m, 'no place in the data directory');
like($found, qr/^SigBlk:\s0+$/m, 'no signal is blocked');
my ($ignored) = $found =~ /^SigIgn:\s([0-9a-f]+)$/m;
# those above 31 are the threads library's
is(hex(substr($ignored // 'f', -8)) & 0x7fffff7f, 0, 'none is ignored but the one that Perl itself ignores');

# What is left of all that.
my $postmaster = $node->{_pid};
is(join(' ', zombies_of($postmaster)), '', 'no zombies');
is(scalar(grep { (slurp_if("/proc/$_/cmdline") // '') !~ /^postgres: / } children_of($postmaster)), 0, 'the server has no children but its own');
ok(until_sql($node, 'SELECT true'), 'it answers');
$node->psql('postgres', 'SELECT pg_terminate_backend(pg_backend_pid())');
ok(within(30, sub { !zombies_of($postmaster) }), 'and notices children that end');
crash_free($node);
$node->stop;
done_testing();
