# Audit rows that the crisis lane wrote without keys: marked, of the same pseudonyms, and with their MAC after the next
# start with keys.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('audit_keys');
my $keys = $node->basedir . '/keys';
sub rows { return $node->safe_psql('postgres', shift) }
sub with_roots
{
	my ($there) = @_;

	$node->stop;
	$node->adjust_conf('postgresql.conf', "paws_sync.${_}_root", $there ? "'file:$keys/$_.root'" : "''") foreach qw(care crisis billing);
	$node->start;
	return;
}

new_subject($node, 'one');
my $phone = new_device($node, 'one');
my $session;
sub push_in { return scalar $session->query("SELECT outcome FROM paws_sync.push_crisis('$phone', '[" . op_json('safety') . "]')") }

$session = session($node);
is(push_in(), 'accepted', 'with keys');
my $by_keyed = 'SELECT string_agg(keyed || \' \' || n, \', \' ORDER BY keyed) FROM (SELECT keyed, count(*) AS n FROM paws_crisis.audit GROUP BY keyed) x';
is(rows($by_keyed), '1 1', 'the row has its MAC');

with_roots(0);
$session = session($node);
is(push_in(), 'accepted', 'without keys') foreach 1 .. 3;
$session->query('BEGIN');
push_in();
$session->query('ROLLBACK');
is(push_in(), 'accepted', 'after a rollback');
is(rows("SELECT count(*) FROM paws_sync.push_crisis('$phone', '[" . join(', ', map { op_json('emergency') } 1 .. 1200) . "]') WHERE outcome = 'accepted'"), 1200, 'many');
is(rows($by_keyed), '0 1204, 1 1', 'rows are marked');
is(rows('SELECT count(*) FROM paws_crisis.audit WHERE (mac IS NULL) <> (keyed = 0)'), 0, 'and have no MAC');
is(rows('SELECT count(DISTINCT actor), count(DISTINCT subject) FROM paws_crisis.audit'), '1|1', 'who did it, and to whom, has the same pseudonyms as with keys');
error_like($node, 'SELECT * FROM paws_sync.verify_crisis_audit()', '55000', qr/paws_sync.crisis_root/, 'nothing can be verified');

with_roots(1);
ok(within(60, sub { rows('SELECT count(*) FROM paws_crisis.audit WHERE mac IS NULL') eq '0' }), 'with keys they get their MAC');
is(rows($by_keyed), '1 1, 2 1204', 'which is said of them');
is(rows('SELECT rows, keyed, late, unkeyed, wrong, doubled, missing, not_written FROM paws_sync.verify_crisis_audit()'), '1205|1|1204|0|0|0|0|0', 'and they verify');
rows('DELETE FROM paws_crisis.audit WHERE keyed = 2 AND place = 2 AND chain = (SELECT chain FROM paws_crisis.audit WHERE keyed = 2 AND place = 1000)');
is(rows('SELECT wrong, missing FROM paws_sync.verify_crisis_audit()'), '0|1', 'as any others');
$session = session($node);
is(push_in(), 'accepted', 'with keys again');
is(rows('SELECT keyed FROM paws_crisis.audit WHERE xact = (SELECT max(xact) FROM paws_crisis.audit)'), 1, 'new rows have theirs at once');

crash_free($node);
$node->stop;

done_testing();
