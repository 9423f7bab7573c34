# What tests of the keyring need: its calls as SQL functions, and files that are put and read. The functions are
# exported.

package PawsKeyring;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;

our @EXPORT = qw(build_module create_calls content_of put_file);

# The result type of each function of test/modules/keyring_calls.c.
my %CALL = (
	'make_epoch(int)' => 'int',
	'ensure_epoch(int)' => 'int',
	'current_epoch(int)' => 'int',
	'destroy_epochs(int, int)' => 'int',
	'destroyed_at(int, int)' => 'timestamptz',
	'adopt_epoch(int, int)' => 'bool',
	'rewrap(int)' => 'int',
	'count_stale(int)' => 'int',
	'epoch_digest(int, int)' => 'bytea',
	'base_digest(int)' => 'bytea',
	'generation()' => 'bigint');

# Compiles test/modules/NAME.c; the path of the library.
sub build_module
{
	my ($name) = @_;
	my $made = "$PostgreSQL::Test::Utils::tmp_check/$name.so";

	chomp(my $include = `$ENV{PG_CONFIG} --includedir-server`);
	system_or_bail($ENV{CC} // 'cc', '-O1', '-shared', '-fPIC', "-I$ENV{TESTDIR}/src", "-I$include", '-o', $made,
		"$ENV{TESTDIR}/test/modules/$name.c", '-ldl')
	  unless -e $made;
	return $made;
}

# The functions in a database.
sub create_calls
{
	my ($node, $database) = @_;
	my $library = build_module('keyring_calls');

	$node->safe_psql($database // 'postgres',
		join(';', map { "CREATE FUNCTION $_ RETURNS $CALL{$_} STRICT LANGUAGE c AS '$library'" } sort keys %CALL));
	return;
}

# All bytes of a file, undef if there is none.
sub content_of
{
	my ($path) = @_;

	open(my $file, '<:raw', $path) or return;
	local $/;
	return scalar <$file>;
}

# Puts another file in the place of one; its path.
sub put_file
{
	my ($path, $content, $mode) = @_;

	unlink $path;
	open(my $file, '>:raw', $path) or die "$path: $!";
	print $file $content;
	close $file;
	chmod $mode // 0600, $path;
	return $path;
}

1;
