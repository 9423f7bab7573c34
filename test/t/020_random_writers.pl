# Eight writers on one subject, with random commits, aborts and savepoints in both lanes, while another device
# reads: no change lost, none twice, every document's order kept, the feed without a gap.
use strict;
use warnings;

use PawsLoad;
use PawsNode;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

seed_random();

my $node = PawsNode->new_node('writers', 'paws_sync.pool_size' => 4, 'paws_sync.batch_size' => 7);
my $load = PawsLoad->new($node, writers => 8, subjects => 1, documents => 12, crisis => 0.2, rollbacks => 0.4);
my $subject = $load->{subjects}[0];

# The reader keeps its cursor across pulls, as a device does.
my ($cursor, %seen, %times);

sub read_on
{
	my ($rows, $next) = paws_pull($node, $subject->{reader}, $cursor);

	$cursor = $next;
	foreach my $row (@$rows)
	{
		BAIL_OUT("reset: $row->{code}") if $row->{kind} eq 'reset';
		next if $row->{kind} eq 'pending'; # comes again as a change
		$seen{ $row->{doc_id} } = $row;
		$times{"$row->{doc_id} $row->{revision}"}++;
	}
	return;
}

# A device is first given the documents as they are, and changes since that began may come again; from here on
# it is given every change once.
foreach (1 .. 3)
{
	$load->begin(2);
	is($load->finish, 0, 'the first transactions came to their end');
	$load->settle;
	wait_applied($node);
	read_on();
}
%times = ();

$load->begin(250);
while ($load->running)
{
	read_on();
	usleep(10_000);
}
is($load->finish, 0, 'every session came to its end');
is($load->complaints, '', 'no session had an error');
$load->check('random writers');
read_on();
cmp_ok(scalar keys %times, '>', 0, 'the reader got ' . scalar(keys %times) . ' changes meanwhile');
is((grep { $_ > 1 } values %times) + 0, 0, 'the reader got no revision of a document twice');

# What the reader pieced together is what is there.
my $heads = $node->safe_psql('postgres', join(' UNION ALL ', map {
	"SELECT doc_id, revision, op_id FROM $_.document WHERE subject_no = $subject->{no}" } qw(paws_care paws_crisis)));
my $wrong = 0;
foreach my $line (split /\n/, $heads)
{
	my ($doc_id, $revision, $op_id) = split /\|/, $line;
	my $got = $seen{$doc_id};
	my $sequence = hex(substr($op_id, 24));

	next if $got && $got->{revision} == $revision && $got->{payload} eq $sequence;
	diag("$doc_id is at $revision, the reader has " . ($got ? "$got->{revision} ($got->{payload})" : 'nothing'));
	$wrong++;
}
is($wrong, 0, 'the reader has every document as it is');

# A writer gets receipts for its own and changes of the others.
my ($rows) = paws_pull($node, $load->{writers}[0]{device}, undef);
cmp_ok(scalar @$rows, '>', 0, 'a writer can pull from the beginning');

# The whole once more with the pool at one and a batch of one.
$node->append_conf('postgresql.conf', "paws_sync.pool_size = 1\npaws_sync.batch_size = 1\n");
$node->reload;
$load->begin(60);
is($load->finish, 0, 'every session came to its end with one worker');
is($load->complaints, '', 'no session had an error with one worker');
$load->check('one worker');

$node->stop;
done_testing();
