# A machine whose processor has no AES instructions: what would need them is refused where it is defined, the rest is
# sealed without; what came from another machine stays sealed and is not called broken.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsKeyring;
use PawsNode;
use PawsProbe;

my $STANDARD = qr/'standard'|"standard"/;

my $node = PawsNode->new_node('aes');

sub rows
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

sub restart_under
{
	my ($library) = @_;

	$node->stop;
	local $ENV{LD_PRELOAD} = $library // '';
	$node->start;
	return wait_workers($node);
}

sub suites
{
	return rows("SELECT string_agg(DISTINCT to_hex(get_byte(envelope, 3)), ' ') FROM paws_crisis.document");
}

plan skip_all => 'this machine has no AES instructions'
  if error_of($node, "SELECT paws_sync.define_collection('try', 'bulk', sealing => 'aes')")->{sqlstate} eq '0A000';
rows("SELECT paws_sync.define_collection('simple', 'standard', sealing => 'standard')");
rows("SELECT paws_sync.define_collection('aes', 'standard', sealing => 'aes')");
my $phone = new_device($node, 'one');
my $tablet = new_device($node, 'one', 'web');
my ($plan, $mood) = (new_uuid(), new_uuid());
paws_push($node, $phone, [
	op_json('safety', doc_id => $plan, payload => 'plan'), op_json('standard', doc_id => $mood, payload => 'layered'),
	op_json('aes', payload => 'aes'), op_json('simple', payload => 'simple') ]);
wait_applied($node);
my ($rows, $cursor) = paws_pull($node, $phone);
is(suites(), '13', 'with them crisis documents have an outer layer');

restart_under(build_module('no_aes'));
foreach my $case ([ 'interactive', 'NULL' ], [ 'session', 'NULL' ], [ 'standard', "'layered'" ], [ 'bulk', "'aes'" ])
{
	error_like($node, "SELECT paws_sync.define_collection('new', '$case->[0]', sealing => $case->[1])", '0A000', $STANDARD, "$case->[0] with sealing $case->[1] is refused, with a hint");
}
is(rows("SELECT paws_sync.define_collection('new', 'interactive', sealing => 'standard')"), '', 'sealing standard is there');
is(rows("SELECT paws_sync.define_collection('theirs', 'interactive', sealing => 'client')"), '', 'so is client');
is(rows("SELECT paws_sync.define_collection('drill', 'safety')"), '', 'and the crisis lane');
error_like($node, "SELECT * FROM paws_sync.push('$phone', '[" . op_json($_) . "]')", '0A000', $STANDARD, "a push into collection $_ is refused, with a hint") foreach qw(standard aes);
is(join(' ', map { "$_->{outcome} $_->{code}" } paws_push($node, $phone, [ op_json('standard'), op_json('new', payload => 'new'), op_json('drill', payload => 'drill') ])),
	'limited keys_unavailable accepted  accepted ', 'beside crisis operations it is put off');
paws_push($node, $phone, [ op_json('safety', doc_id => $plan, base_revision => 1, payload => 'plan 2') ]);
wait_applied($node);
is(suites(), '3', 'crisis documents have one layer');
is(rows('SELECT count(*) FROM paws_crisis.document WHERE length(seal) = 16'), 2, 'and seals');
($rows) = paws_pull($node, $tablet);
is(join(', ', sort map { $_->{kind} eq 'change' ? $_->{payload} : "$_->{collection} $_->{code}" } @$rows),
	'aes sealed, drill, new, plan 2, simple, standard sealed', 'what the machine can open is read, the rest comes sealed');
unlike(slurp_file($node->logfile), qr/a stored envelope does not open/, 'and nothing is called broken');
my $others = new_device($node, 'two');
is(join(' ', map { $_->{outcome} } paws_push($node, $others, [ op_json('safety', payload => 'first') ])), 'accepted', 'new subjects are served');

restart_under();
($rows) = paws_pull($node, $tablet);
is(join(', ', sort map { $_->{payload} } @$rows), 'aes, drill, layered, new, plan 2, simple', 'on a machine that has them all is read');
paws_push($node, $phone, [ op_json('safety', doc_id => $plan, base_revision => 2, payload => 'plan 3') ]);
is(suites(), '13 3', 'new crisis documents have the outer layer again');
crash_free($node);
$node->stop;
done_testing();
