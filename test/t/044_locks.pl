# Normal work takes no lock above ROW EXCLUSIVE on any table of ours. Proved twice: a session holds SHARE UPDATE EXCLUSIVE on all of
# them while everything is done, which is in the way of every stronger lock and of no weaker one; and another looks at the locks all
# the while, for those that somebody takes only if they can be had.
use strict;
use warnings;

use PawsLoad;
use PawsNode;
use PostgreSQL::Test::BackgroundPsql;
use PostgreSQL::Test::Utils;
use Test::More;

seed_random();

# Autovacuum takes the lock that is looked for, as it may: it gives way.
my $node = PawsNode->new_node('locks', 'paws_sync.pool_size' => 2, 'autovacuum' => 'off', 'max_locks_per_transaction' => 256);

# Policy and collections are changed by operators, rarely, and one at a time; what is past its time is dropped whole.
my $tables = "SELECT c.oid::regclass AS relation FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace IN ('paws_queue'::regnamespace, "
  . "'paws_care'::regnamespace, 'paws_crisis'::regnamespace, 'paws_registry'::regnamespace, 'paws_vault'::regnamespace) "
  . "AND c.relname NOT IN ('policy', 'tier_policy', 'collection', 'resource') AND c.relname !~ '^history_'";
my $load = PawsLoad->new($node, writers => 4, subjects => 3, crisis => 0.2, rollbacks => 0.3);
new_subject($node, 'leaves', 'premium');
my @leaving = map { new_device($node, 'leaves', $_) } qw(ios web);
my $has_jobs = $node->safe_psql('postgres', "SELECT to_regproc('paws_sync.submit_many') IS NOT NULL") eq 't';
$node->safe_psql('postgres', "SELECT paws_sync.define_topic('calm', lease => '200 ms', backoff => '1 ms', max_backoff => '1 ms', max_attempts => 2)")
  if $has_jobs;
$node->safe_psql('postgres', 'CREATE TABLE seen (relation regclass, mode text, granted boolean, PRIMARY KEY (relation, mode, granted)); CREATE TABLE stop ()');

my $holder = $node->background_psql('postgres');
$holder->set_query_timer_restart();
my $holder_pid = $holder->query_safe('SELECT pg_backend_pid()');
my $all = join(', ', split /\n/, $node->safe_psql('postgres', $tables));
$holder->query_safe("BEGIN; LOCK TABLE $all IN SHARE UPDATE EXCLUSIVE MODE");
foreach my $relation (split /, /, $all)
{
	isnt($node->psql('postgres', "BEGIN; LOCK TABLE $relation IN SHARE UPDATE EXCLUSIVE MODE NOWAIT"), 0, "a stronger lock on $relation cannot be had");
}

my $base = "$PostgreSQL::Test::Utils::tmp_check/locks_watch";
append_to_file("$base.sql", <<"SQL");
SET application_name = 'watch';
DO \$\$ BEGIN
	WHILE NOT EXISTS (SELECT FROM stop) LOOP
		INSERT INTO seen SELECT DISTINCT l.relation::regclass, l.mode, l.granted FROM pg_locks l JOIN ($tables) t ON t.relation = l.relation
		WHERE l.pid NOT IN ($holder_pid, pg_backend_pid()) AND l.locktype = 'relation' ON CONFLICT DO NOTHING;
		COMMIT;
	END LOOP;
END \$\$;
SQL
my $watch = start_psql($node, "$base.sql", "$base.out", "$base.err");

# All ways of a job, among them the ends that its worker does not bring about.
my @jobs = (
	"SELECT count(*) FROM paws_sync.submit_many('calm', array_fill('x'::bytea, ARRAY[20]))",
	"SELECT outcome FROM paws_sync.submit('calm', 'x', key => gen_random_uuid()::text, ordering_key => 'one by one')",
	"SELECT outcome FROM paws_sync.submit('calm', 'x', expires_at => clock_timestamp() + '1 ms'::interval)",
	"SELECT count(paws_sync.complete(job, fence)) FROM paws_sync.claim('{calm}', 5)",
	"SELECT count(*) FROM (SELECT array_agg(job) AS jobs, array_agg(fence) AS fences FROM paws_sync.claim('{calm}', 5)) c, paws_sync.complete_many(c.jobs, c.fences, NULL, false)",
	"SELECT count(paws_sync.fail(job, fence)) FROM paws_sync.claim('{calm}', 2)",
	"SELECT count(paws_sync.snooze(job, fence, '1 ms')) FROM paws_sync.claim('{calm}', 1)",
	"SELECT count(paws_sync.release(job, fence)) FROM paws_sync.claim('{calm}', 1)",
	"SELECT count(paws_sync.extend(job, fence, '300 ms')) FROM paws_sync.claim('{calm}', 1)",
	"SELECT paws_sync.cancel(s.job) FROM paws_sync.submit('calm', 'x', not_before => clock_timestamp() + '1 hour'::interval) s",
	"SELECT count(*) FROM paws_sync.dead_letters('calm')",
	"SELECT paws_sync.redrive('calm')",
	"SELECT paws_sync.discard('calm')");

# Everything that is done while nobody administers, under load.
$load->begin(150);
my $reader = $load->{subjects}[0]{reader};
my $cursor;
my $job = $node->safe_psql('postgres', "SELECT paws_sync.rotate_keys('data_keys')");
my $others = 0;
while ($load->running)
{
	(undef, $cursor) = paws_pull($node, $reader, $cursor);
	$node->safe_psql('postgres', "SELECT paws_sync.ack('$reader', '$cursor')") if $cursor;
	$node->safe_psql('postgres', join(";\n", @jobs)) if $has_jobs;
	next if $others++;
	$node->safe_psql('postgres', $_)
	  foreach (
		"SELECT paws_sync.register_device(paws_sync.subject_for('new'), 'ios')",
		"SELECT paws_sync.set_entitlement(paws_sync.subject_for('new'), 'basic')",
		"SELECT paws_sync.revoke_device('$leaving[0]')",
		"SELECT count(*) FROM paws_sync.devices(paws_sync.subject_for('leaves'))",
		"SELECT count(*) FROM paws_sync.sync_status(paws_sync.subject_for('leaves'))",
		"SELECT count(*) FROM paws_sync.pull_wait('$reader', " . (defined $cursor ? "'$cursor'" : 'NULL') . ", '10 ms')",
		"SELECT count(*) FROM paws_sync.receipts('$reader', ARRAY[gen_random_uuid()])",
		"SELECT count(*) FROM paws_sync.pull_crisis('$reader')",
		"SELECT count(*) FROM paws_sync.crisis_bundle('$reader')",
		"SELECT state FROM paws_sync.forget(paws_sync.subject_for('leaves'))",
		'SELECT count(*) FROM paws_sync.doctor()',
		'SELECT count(*) FROM paws_sync.key_status()',
		'SELECT count(*) FROM paws_sync.status()');
}
is($load->finish, 0, 'every session came to its end');
is($load->complaints, '', 'and had no error');
wait_for_sql($node, 'the rotation of data keys', "SELECT phase = 'finished' FROM paws_sync.pg_stat_progress_paws_sync_keys WHERE job = $job");
$job = $node->safe_psql('postgres', "SELECT paws_sync.rotate_keys('epochs')");
wait_for_sql($node, 'the rotation of epochs', "SELECT phase = 'finished' FROM paws_sync.pg_stat_progress_paws_sync_keys WHERE job = $job");
wait_for_sql($node, 'the erasure', "SELECT state <> 'deleted' FROM paws_sync.erasure_status(paws_sync.subject_for('leaves'))");
my $turns = 'SELECT batches FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = \'scheduler\'';
my $before = $node->safe_psql('postgres', $turns);
wait_for_sql($node, 'housekeeping', "SELECT ($turns) > $before + 2");
$load->check('beside a stronger lock');
if ($has_jobs)
{
	$node->safe_psql('postgres', join(";\n", @jobs)) foreach 1 .. 20;
	wait_for_sql($node, 'the jobs to be worked off',
		"SELECT count(paws_sync.complete(c.job, c.fence)) = 0 AND (SELECT count(*) = 0 FROM paws_queue.job) FROM paws_sync.claim('{calm}', 100) c",
		'SELECT count(*) FROM paws_queue.job');
	pass('all jobs came to an end');
}
is($node->safe_psql('postgres', 'SELECT sum(errors) FROM paws_sync.pg_stat_paws_sync_workers'), 0, 'no worker was refused a lock');

$node->safe_psql('postgres', 'INSERT INTO stop DEFAULT VALUES');
waitpid $watch, 0;
is(slurp_file("$base.err"), '', 'the locks were looked at to the end');
is($node->safe_psql('postgres', "SELECT string_agg(relation || ' ' || mode, ', ') FROM seen WHERE mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')"),
	'', 'no stronger lock was seen');
is($node->safe_psql('postgres', 'SELECT string_agg(relation || \' \' || mode, \', \') FROM seen WHERE NOT granted'), '', 'and nobody waited for one');
is($node->safe_psql('postgres', <<'SQL'), 6, 'those of the hot tables were seen');
SELECT count(*) FROM seen WHERE mode = 'RowExclusiveLock' AND relation::text IN
	('paws_queue.operation', 'paws_care.feed', 'paws_care.document', 'paws_care.counter', 'paws_crisis.feed', 'paws_crisis.document')
SQL
is($node->safe_psql('postgres', "SELECT count(*) > 0 FROM seen WHERE mode = 'RowExclusiveLock' AND relation::text = 'paws_queue.job'"), 't', 'and of jobs')
  if $has_jobs;
note($node->safe_psql('postgres', 'SELECT string_agg(relation || \' \' || mode, E\'\n\' ORDER BY 1) FROM seen'));
$holder->query_safe('COMMIT');
$holder->quit;

$node->stop('immediate');
done_testing();
