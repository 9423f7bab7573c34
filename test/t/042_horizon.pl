# While somebody holds back vacuum, dead rows pile up in the queue; work goes on as if they were not there. No clock is asked:
# what is counted is how many entries of indexes and how many pages an operation costs, at the beginning and after many
# others have passed.
use strict;
use warnings;

use PawsNode;
use PostgreSQL::Test::BackgroundPsql;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $WAVE = 2000;
my $WAVES = 8;
my $SUBJECTS = 20;

my $node = PawsNode->new_node('horizon', 'paws_sync.apply_at_once' => 'off', 'wal_receiver_status_interval' => '1s', 'paws_sync.pool_size' => 2, 'autovacuum' => 'off', 'max_prepared_transactions' => 1,
	'wal_level' => 'logical', 'max_wal_senders' => 2);

$node->safe_psql('postgres', "SELECT paws_sync.set_tier_policy('premium', 1000000, 1000000, 1000000000, 1000000000)");
$node->safe_psql('postgres', <<"SQL");
CREATE TABLE device AS SELECT n, paws_sync.register_device(paws_sync.subject_for('flow ' || n), 'server') AS device
FROM generate_series(1, $SUBJECTS) n;
SELECT count(paws_sync.set_entitlement(paws_sync.subject_for('flow ' || n), 'premium')) FROM generate_series(1, $SUBJECTS) n;
SQL

# As much again of each level's work: interactive from all, background from one in four.
my $push = <<"SQL";
SELECT count(*) FILTER (WHERE outcome = 'accepted') FROM device d, LATERAL (
	SELECT array_agg(gen_random_uuid()) AS op_ids, array_agg(CASE WHEN n % 4 = 0 THEN 'background' ELSE 'interactive' END) AS collections,
		array_agg(gen_random_uuid()) AS doc_ids, array_agg(0::bigint) AS bases, array_agg('\\x68656c6c6f'::bytea) AS payloads
	FROM generate_series(1, $WAVE / $SUBJECTS) n WHERE d.n > 0) o,
	paws_sync.push_many(d.device, o.op_ids, o.collections, o.doc_ids, o.bases, o.payloads) p
SQL
my $passed = 0;

# What a queue has cost so far: entries read from its indexes, pages touched in it and in them.
sub cost
{
	my ($table) = @_;

	return split /\|/, $node->safe_psql('postgres', <<"SQL");
SELECT (SELECT sum(idx_tup_read) FROM pg_stat_all_indexes WHERE schemaname = 'paws_queue' AND relname = '$table'),
	(SELECT heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read FROM pg_statio_all_tables
	WHERE schemaname = 'paws_queue' AND relname = '$table')
SQL
}

# One wave, to the last operation; the workers tell what they did when they have nothing left to do.
sub wave
{
	my @before = cost('operation');

	is($node->safe_psql('postgres', $push), $WAVE, 'a wave is accepted');
	$passed += $WAVE;
	# not by a look into the table, which would itself walk over what is dead
	wait_for_sql($node, 'the workers to tell',
		"SELECT n_tup_del = $passed FROM pg_stat_all_tables WHERE schemaname = 'paws_queue' AND relname = 'operation'",
		"SELECT n_tup_del, $passed FROM pg_stat_all_tables WHERE schemaname = 'paws_queue' AND relname = 'operation'");
	my @after = cost('operation');
	return map { ($after[$_] - $before[$_]) / $WAVE } 0 .. 1;
}

# What an operation costs with nothing dead around: the plans are made, the caches warm.
my $has_jobs = $node->safe_psql('postgres', "SELECT to_regproc('paws_sync.submit_many') IS NOT NULL") eq 't';
my $jobs = join(";\n", map { $_ <= $WAVE / 100
	? ("SELECT count(*) FROM paws_sync.submit_many('calm', array_fill('x'::bytea, ARRAY[100]))",
		"SELECT count(*) FROM (SELECT array_agg(job) AS jobs, array_agg(fence) AS fences FROM paws_sync.claim('{calm}', 95)) c, paws_sync.complete_many(c.jobs, c.fences)")
	: "SELECT paws_sync.complete(job, fence) FROM paws_sync.claim('{calm}')" } 1 .. $WAVE / 100 + $WAVE * 5 / 100);
my $done = 0;

# As many jobs, by sets and the rest one at a time.
sub wave_of_jobs
{
	my @before = cost('job');

	$node->safe_psql('postgres', $jobs);
	$done += $WAVE;
	wait_for_sql($node, 'the jobs to be gone', "SELECT n_tup_del >= $done FROM pg_stat_all_tables WHERE schemaname = 'paws_queue' AND relname = 'job'",
		"SELECT n_tup_ins, n_tup_del, $done FROM pg_stat_all_tables WHERE schemaname = 'paws_queue' AND relname = 'job'");
	my @after = cost('job');
	return map { ($after[$_] - $before[$_]) / $WAVE } 0 .. 1;
}

$node->safe_psql('postgres', "SELECT paws_sync.define_topic('calm')") if $has_jobs;
wave() foreach 1 .. 2;
wave_of_jobs() foreach $has_jobs ? 1 .. 2 : ();
$node->safe_psql('postgres', 'VACUUM');
my @clean = wave();
note(sprintf('clean: %.1f entries and %.1f pages for an operation', @clean));
my @clean_of_jobs = $has_jobs ? wave_of_jobs() : ();
note(sprintf('clean: %.1f entries and %.1f pages for a job', @clean_of_jobs)) if $has_jobs;

# The most that an operation may cost, with so many dead rows in the queue: twice as much, and a look at all of it now and
# then, which finds what came in by other ways than a push.
sub bound
{
	my ($clean, $dead) = @_;
	return 2 * $clean + 10 + 2 * $dead / $WAVE;
}

# Some begin to hold everything back; so many waves pass.
sub pass_under
{
	my ($what) = @_;
	my @most = (0, 0);
	my $counters = "SELECT sum(idx_tup_read) FROM pg_stat_all_indexes WHERE schemaname = 'paws_care' AND relname = 'counter'";
	my $walked = $node->safe_psql('postgres', $counters);

	foreach my $n (1 .. $WAVES)
	{
		my @cost = wave();

		foreach my $which (0 .. 1)
		{
			my $over = $cost[$which] - bound($clean[$which], $n * $WAVE);

			$most[$which] = $over if $n == 1 || $over > $most[$which];
		}
		note(sprintf('%s, wave %d: %.1f entries and %.1f pages', $what, $n, @cost));
	}
	my ($err) = ($node->psql('postgres', 'VACUUM (VERBOSE) paws_queue.operation'))[2];
	my ($kept) = $err =~ /(\d+) are dead but not yet removable/;
	cmp_ok($kept, '>=', $WAVES * $WAVE, "$what: $kept dead rows are kept");
	cmp_ok($most[0], '<=', 0, "$what: and not walked over in the indexes");
	cmp_ok($most[1], '<=', 0, "$what: nor in the pages");
	$walked = $node->safe_psql('postgres', $counters) - $walked;
	cmp_ok($walked, '<=', $WAVES * $WAVE, "$what: nor through old versions of counters, $walked");
	is($node->safe_psql('postgres', 'SELECT sum(position) FROM paws_care.counter'), $passed, "$what: everything is applied");
	ok(depths_agree($node), "$what: and counted");
	return unless $has_jobs;

	my @cost;
	foreach my $n (1 .. $WAVES)
	{
		@cost = wave_of_jobs();
		note(sprintf('%s, wave %d: %.1f entries and %.1f pages for a job', $what, $n, @cost));
	}
	cmp_ok($cost[0], '<=', bound($clean_of_jobs[0], $WAVES * $WAVE), "$what: jobs do not walk over what is dead in the indexes");
	cmp_ok($cost[1], '<=', bound($clean_of_jobs[1], $WAVES * $WAVE), "$what: nor in the pages");
	return;
}

# Nobody holds anything, but nobody cleans either: the time between two vacuums.
foreach my $n (1 .. $WAVES)
{
	my @cost = wave();

	note(sprintf('between vacuums, wave %d: %.1f entries and %.1f pages', $n, @cost));
	cmp_ok($cost[0], '<=', bound($clean[0], $n * $WAVE), 'between two vacuums it costs as much as after one') if $n == $WAVES;
}
$node->safe_psql('postgres', 'VACUUM');

my $session = $node->background_psql('postgres');
$session->set_query_timer_restart();
$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM device');
pass_under('a snapshot');
$session->query_safe('COMMIT');
$node->safe_psql('postgres', 'VACUUM');

$session->query_safe('BEGIN; CREATE TABLE written ()');
pass_under('a writer that idles');
$session->query_safe('COMMIT');
$node->safe_psql('postgres', 'VACUUM');

$session->query_safe("BEGIN; DROP TABLE written; PREPARE TRANSACTION 'left'");
pass_under('a prepared transaction');
$session->query_safe("ROLLBACK PREPARED 'left'");
$session->quit;
$node->safe_psql('postgres', 'VACUUM');

# A slot that a standby left behind in the middle of a query.
$node->safe_psql('postgres', "SELECT pg_create_physical_replication_slot('left')");
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\nprimary_slot_name = 'left'\n");
$standby->start;
my $reader = $standby->background_psql('postgres');
$reader->set_query_timer_restart();
$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM device');
wait_for_sql($node, 'feedback through the slot', "SELECT xmin IS NOT NULL FROM pg_replication_slots WHERE slot_name = 'left'");
$standby->stop('immediate');
wait_for_sql($node, 'the slot to be left', "SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'left'");
pass_under('a slot');
$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('left')");

$node->stop('immediate');
done_testing();
