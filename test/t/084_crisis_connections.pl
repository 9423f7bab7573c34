# Every connection that ordinary clients may have is taken: members of paws_sync.crisis_role still get in, and are served.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node(
	'crisis_connections',
	'max_connections' => 12,
	'superuser_reserved_connections' => 2,
	'paws_sync.crisis_role' => 'crisis_service',
	'paws_sync.crisis_reserved_connections' => 3);

$node->safe_psql('postgres', <<'SQL');
CREATE ROLE ordinary LOGIN;
CREATE ROLE crisis_service;
CREATE ROLE pager LOGIN IN ROLE crisis_service;
CREATE ROLE deputies IN ROLE crisis_service;
CREATE ROLE deputy LOGIN NOINHERIT IN ROLE deputies;
SELECT paws_sync.grant_profile('ordinary', 'app');
SELECT paws_sync.grant_profile('pager', 'crisis');
SELECT paws_sync.grant_profile('deputy', 'crisis');
SQL
new_subject($node, 'one', 'trial');
my $device = new_device($node, 'one');
my $safety = op_json('safety');
my @taken;

# As many as it gets, up to 20.
sub take
{
	my ($user) = @_;
	my $before = @taken;
	while (@taken - $before < 20)
	{
		my $one = eval { user_session($user) };
		last unless $one;
		push @taken, $one;
	}
	return @taken - $before;
}

sub user_session
{
	my ($user) = @_;
	return $node->background_psql('postgres', on_error_stop => 0, timeout => 300, extra_params => [ '-U', $user ]);
}

sub give_back
{
	$_->quit foreach splice @taken;
	ok(until_sql($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename IN ('ordinary', 'pager', 'deputy')"), 'all are given back');
	return;
}

# 12 slots, of which 2 are the superusers' and 3 the reserve.
is(take('ordinary'), 7, 'ordinary clients get what is not reserved');
$node->psql('postgres', 'SELECT 1', extra_params => [ '-U', 'ordinary' ], stderr => \my $said);
like($said, qr/FATAL:  remaining connection slots are reserved for crisis traffic/, 'the next is told why');
like(slurp_file($node->logfile), qr/remaining connection slots are reserved for crisis traffic \[53300/, 'with the SQLSTATE of the server, in the log too');
is(take('pager'), 3, 'members get the reserve');
$node->psql('postgres', 'SELECT 1', extra_params => [ '-U', 'pager' ], stderr => \$said);
like($said, qr/remaining connection slots are reserved/, 'and not what is the superusers\'');
like($node->safe_psql('postgres', "SELECT outcome || ' ' || receipt FROM paws_sync.push_crisis('$device', '[$safety]')"), qr/^accepted applied$/, 'a superuser gets in');
is((split /\n/, $taken[7]->query("SELECT outcome FROM paws_sync.push_crisis('$device', '[" . op_json('safety') . "]')"))[0], 'accepted', 'a member pushes');
is((split /\n/, $taken[8]->query("SELECT count(*) FROM paws_sync.pull_crisis('$device') WHERE kind = 'change'"))[0], '2', 'a member pulls');
give_back();

# The other way round: what members hold beyond the reserve is an ordinary connection.
is(take('deputy'), 10, 'a member of a member, who inherits nothing, may have every connection');
is(take('ordinary'), 0, 'and leaves none');
give_back();
is(take('pager'), 10, 'so may a member');
(splice @taken, 0, 1)->quit;
ok(until_sql($node, "SELECT count(*) = 9 FROM pg_stat_activity WHERE usename = 'pager'"), 'one is free again');
is(take('ordinary'), 0, 'which is of the reserve');
give_back();

# Settings follow a reload.
set_option($node, 'paws_sync.crisis_reserved_connections', '0');
is(take('ordinary'), 10, 'nothing is reserved');
give_back();
set_option($node, 'paws_sync.crisis_reserved_connections', '5');
is(take('ordinary'), 5, 'more is');
give_back();
$node->safe_psql("postgres", $_) foreach ("ALTER SYSTEM SET paws_sync.crisis_role = 'nobody_of_that_name'", "SELECT pg_reload_conf()");
ok(until_sql($node, "SELECT current_setting('paws_sync.crisis_role') = 'nobody_of_that_name'"), 'a role that is not there');
is(take('ordinary'), 10, 'keeps nobody out');
give_back();
is($node->safe_psql('postgres', "SELECT value FROM paws_sync.doctor() WHERE check_name = 'paws_sync.crisis_role' AND NOT ok"), 'a role that does not exist', 'the doctor says so');
$node->safe_psql("postgres", $_) foreach ("ALTER SYSTEM SET paws_sync.crisis_role = ''", "SELECT pg_reload_conf()");
ok(until_sql($node, "SELECT current_setting('paws_sync.crisis_role') = ''"), 'no role');
is($node->safe_psql('postgres', "SELECT value FROM paws_sync.doctor() WHERE check_name = 'paws_sync.crisis_role' AND NOT ok"), 'none', 'the doctor says so too');
$node->safe_psql("postgres", $_) foreach ("ALTER SYSTEM SET paws_sync.crisis_role = 'crisis_service'", "ALTER SYSTEM SET paws_sync.crisis_reserved_connections = 900", "SELECT pg_reload_conf()");
ok(until_sql($node, "SELECT current_setting('paws_sync.crisis_reserved_connections') = '900'"), 'more than there are');
is(take('ordinary'), 0, 'nobody else gets in');
is($node->safe_psql('postgres', "SELECT count(*) FROM paws_sync.doctor() WHERE check_name = 'paws_sync.crisis_reserved_connections' AND NOT ok"), '1', 'the doctor says that it is too many');
is(take('pager'), 10, 'a member does');
give_back();

crash_free($node);
$node->stop;
done_testing();
