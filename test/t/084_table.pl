# Rows of tables without SPI and executor (base/table.h): the same as the statements would do, whatever happens to the
# table and its indexes between two calls, beside whomever.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsKeyring;
use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('table');
my $library = build_module('table_calls');
my %CALL = (
	'put(bigint, text, bytea)' => 'boolean',
	'put_new(bigint, text, bytea)' => 'boolean',
	'put_many(bigint[])' => 'boolean[]',
	'add(bigint, text, bytea)' => 'void',
	'add_many(bigint[])' => 'void',
	'find(bigint, boolean)' => 'text',
	'find_payload(bigint)' => 'bytea',
	'walk(bigint, bigint)' => 'bigint[]',
	'walk_and_put(bigint)' => 'int',
	'place(bigint)' => 'tid',
	'remove_at(tid, bigint, boolean)' => 'text',
	'remove_all(bigint[], boolean)' => 'text[]',
	'change(bigint, text, bytea, boolean)' => 'text',
	'fail_between(bigint)' => 'void');
my $create_table = 'CREATE TABLE rows.item (k bigint, v text, payload bytea); ALTER TABLE rows.item ALTER payload SET STORAGE EXTERNAL;'
  . 'CREATE UNIQUE INDEX item_k ON rows.item (k); CREATE INDEX item_v ON rows.item (v);';

$node->safe_psql('postgres', join(';', 'CREATE SCHEMA rows',
		map { "CREATE FUNCTION rows.$_ RETURNS $CALL{$_} LANGUAGE c AS '$library'" } sort keys %CALL));
$node->safe_psql('postgres', $create_table);

my $one = session($node);
my $two = session($node);
$_->query_safe('SET search_path = rows') foreach $one, $two;

# The answer of a statement in a session, or the error that it ended with.
sub ask
{
	my ($session, $sql) = @_;
	my $answer = $session->query("\\set VERBOSITY sqlstate\n$sql;");
	my ($error) = $session->{stderr} =~ /ERROR:\s+([0-9A-Z]{5})/;
	my $warning = $session->{stderr} =~ /(WARNING.*)/ ? " $1" : '';

	$session->{stderr} = '';
	return (defined $error ? $error : $answer) . $warning;
}

sub rows_now { return $node->safe_psql('postgres', 'SELECT string_agg(k::text, \' \' ORDER BY k) FROM rows.item') }

sub empty { $node->safe_psql('postgres', 'TRUNCATE rows.item'); return }

# A statement of a session that waits for a lock.
sub waits
{
	my ($session, $sql) = @_;
	my $pid = ask($session, 'SELECT pg_backend_pid()');

	start_query($session, $sql);
	return until_sql($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = 'Lock'");
}

sub is_sound
{
	my ($name) = @_;

	$node->safe_psql('postgres', 'CREATE EXTENSION IF NOT EXISTS amcheck');
	is($node->safe_psql('postgres', q{SELECT bt_index_check(c.oid, true) FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
		WHERE i.indrelid = 'rows.item'::regclass AND indisvalid}) =~ s/\s//gr, '', "$name: the indexes are sound");
	return;
}

# One session.
is(ask($one, "SELECT put(1, 'one', 'payload')"), 't', 'put');
is(ask($one, "SELECT put(1, 'other', NULL)"), 'f', 'put again');
is(ask($one, "SELECT put_new(1, 'other', NULL)"), 'f', 'put by the other way');
is(ask($one, "SELECT put_new(0, 'new', NULL) AND NOT put_new(0, 'new', NULL) AND remove_all('{0}', true) = '{written}'"), 't', 'put a new one by it');
is(ask($one, 'SELECT find(1, false) || find(1, true)'), 'oneone', 'found by both snapshots');
is(ask($one, 'SELECT find(2, false) IS NULL AND place(2) IS NULL'), 't', 'not found');
is(ask($one, "SELECT add(1, 'other', NULL)"), '23505', 'add of a key that is there');
is(ask($one, "SELECT put(NULL, NULL, NULL) AND put(NULL, NULL, NULL)"), 't', 'NULLs are never equal');
is(ask($one, "SELECT put_many('{3,1,4,3,5}')"), '{t,f,t,f,t}', 'many: what is there stays out, and the second of two');
is(ask($one, "SELECT put_many('{}')"), '{}', 'none');
is(ask($one, "SELECT put_many('{1,3}')"), '{f,f}', 'all there');
is(ask($one, "SELECT add_many('{7,6,8}')"), '', 'add many');
is(ask($one, "SELECT add_many('{9,8}')"), '23505', 'add many with one that is there');
is(ask($one, 'SELECT walk(3, 7)'), '{3,4,5,6,7}', 'a walk, begun twice');
is(ask($one, "SELECT remove_all('{3,3,99}', true)"), '{written,"not there","not there"}', 'remove');
is(ask($one, "SELECT change(4, 'four', 'new', true) || find(4, false) || encode(find_payload(4), 'escape')"),
	'writtenfournew', 'change');
is(ask($one, "SELECT change(4, 'four again', NULL, true)"), 'written', 'change of an indexed column');
is(ask($one, "SELECT find_payload(4) IS NULL"), 't', 'to NULL');
is(rows_now(), '1 4 5 6 7 8', 'what is there');
is(ask($one, "SELECT put_many(ARRAY(SELECT generate_series(101, 1000))) = array_fill(true, ARRAY[900])"), 't', 'more than one set');
is(ask($one, "SELECT (SELECT count(*) FROM unnest(put_many(ARRAY(SELECT generate_series(901, 1600)))) p WHERE p)"), '600', 'partly there');
is(ask($one, 'SELECT count(*) FROM item WHERE k > 100'), '1500', 'each once');
is_sound('one session');

# Payloads beside the row.
empty();
is(ask($one, "SELECT put(1, 'big', convert_to(repeat('x', 3000000), 'UTF8'))"), 't', 'a toasted value');
is(ask($one, "SELECT octet_length(find_payload(1)) || ' ' || (find_payload(1) = convert_to(repeat('x', 3000000), 'UTF8'))"), '3000000 true', 'read whole');
is(ask($one, "SELECT change(1, 'big', find_payload(1) || 'y', true) || octet_length(find_payload(1))"), 'written3000001', 'changed');
is(ask($one, "SELECT remove_all('{1}', true)"), '{written}', 'and deleted');
$node->safe_psql('postgres', 'VACUUM rows.item');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class c, LATERAL (SELECT chunk_id FROM pg_toast.}
		. $node->safe_psql('postgres', q{SELECT relname FROM pg_class WHERE oid = (SELECT reltoastrelid FROM pg_class WHERE oid = 'rows.item'::regclass)})
		. q{) t WHERE c.relname = 'item'}), '0', 'nothing of it is left');

# What a transaction sees of itself; savepoints.
empty();
is(ask($one, "BEGIN; SELECT put(1, 'a', NULL); SAVEPOINT s; SELECT put(2, 'b', NULL); SELECT put_many('{2,3,4}'); ROLLBACK TO s; SELECT find(2, false) IS NULL; SELECT put(2, 'c', NULL); COMMIT"),
	"t\nt\n{f,t,t}\nt\nt", 'rolled back to a savepoint');
is(rows_now(), '1 2', 'the rest is there');
is(ask($one, 'SELECT fail_between(9)'), 'P0001', 'an error in between');
is(ask($one, "BEGIN; SAVEPOINT s; SELECT fail_between(9)") . ask($one, "ROLLBACK TO s; SELECT put(10, 'x', NULL); COMMIT"), 'P0001t', 'and in a subtransaction');
is(ask($one, "DO \$\$BEGIN FOR i IN 1 .. 50 LOOP BEGIN PERFORM rows.fail_between(i); EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END\$\$"), '', 'fifty times, without a warning');
is(rows_now(), '1 2 10', 'nothing of these');
is(ask($one, "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'spectoken'"), '0', 'no lock is left');

# A walk does not meet what is put meanwhile, whatever snapshot it has.
foreach my $level ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
	empty();
	is(ask($one, "SELECT put_many('{1,2,5}')"), '{t,t,t}', 'three');
	is(ask($one, "BEGIN ISOLATION LEVEL $level; SELECT walk_and_put(1); COMMIT"), '3', "$level: three are met");
	is(rows_now(), '1 2 3 5 6', "$level: what is put");
}

# Read only.
foreach my $call ("put(50, 'x', NULL)", "put_many('{50}')", "add(50, 'x', NULL)", "change(1, 'x', NULL, true)", "remove_all('{1}', true)")
{
	is(ask($one, "BEGIN READ ONLY; SELECT $call") . ask($one, 'ROLLBACK'), '25006', "read only: $call");
}
is(ask($one, 'BEGIN READ ONLY; SELECT find(1, false); COMMIT'), 'v1', 'read only: find');

# Two sessions with the same key: the second one waits, and goes by what became of the first.
empty();
foreach my $put ('put(1, NULL, NULL)::text', 'put_new(1, NULL, NULL)::text', "put_many('{1}')::text")
{
	foreach my $end ('COMMIT', 'ROLLBACK')
	{
		empty();
		is(ask($one, 'BEGIN; SELECT put(1, NULL, NULL)'), 't', "$put, $end: the first");
		ok(waits($two, "SELECT $put"), "$put, $end: the second waits");
		$one->query_safe($end);
		like(ask($two, 'SELECT 1'), $end eq 'COMMIT' ? qr/^\{?f/ : qr/^\{?t/, "$put, $end: and knows");
		is(rows_now(), '1', "$put, $end: one row");
	}
}

# The same set twice at once: no deadlock, each once. The later one has met none of them before it began.
empty();
is(ask($one, "BEGIN; SELECT put_many('{2,3}')"), '{t,t}', 'a set');
ok(waits($two, "SELECT put_many('{1,2,3,4}')"), 'one that overlaps waits');
is(ask($one, "SELECT put_many('{3,5}')"), '{f,t}', 'the first goes on');
$one->query_safe('ROLLBACK');
is(ask($two, 'SELECT 1'), "{t,t,t,t}\n1", 'the second has all');
is(rows_now(), '1 2 3 4', 'each once');

# One snapshot for the transaction: what is not in it is a reason to repeat, but for what is its own.
empty();
$one->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM item');
is(ask($two, 'SELECT put(1, NULL, NULL)'), 't', 'put by another');
is(ask($one, 'SELECT find(1, false) IS NULL AND find(1, true) IS NOT NULL'), 't', 'the old snapshot does not see it, the latest one does');
is(ask($one, 'SELECT put(1, NULL, NULL)'), '40001', 'put of what it cannot see');
$one->query_safe('ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM item');
is(ask($two, 'SELECT put(2, NULL, NULL)'), 't', 'put by another');
is(ask($one, 'SELECT put_new(2, NULL, NULL)'), '40001', 'by the other way too');
ask($two, "SELECT remove_all('{2}', true)");
$one->query_safe('ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM item');
is(ask($two, "SELECT put_many('{7}')"), '{t}', 'put by another');
is(ask($one, "SELECT put_many('{5,6,7}')"), '40001', 'many with one that it cannot see');
$one->query_safe('ROLLBACK');
is(ask($one, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT put_many('{2,2}'); SELECT put(2, NULL, NULL); COMMIT"), "{t,f}\nf", 'its own');
is(ask($one, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT put_many(array_agg(1)) FROM generate_series(1, 2); SELECT put(k, NULL, NULL) FROM unnest(ARRAY[8, 8]) k; COMMIT"),
	"{f,f}\nt\nf", 'its own of one statement');
$one->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM item');
is(ask($two, "SELECT change(1, 'new', NULL, true)"), 'written', 'changed by another');
is(ask($one, "SELECT remove_all('{1}', true)"), '40001', 'delete of what another changed');
$one->query_safe('ROLLBACK');

# Rows that somebody holds.
empty();
ask($one, "SELECT put_many('{1,2}')");
$one->query_safe('BEGIN; SELECT FROM item WHERE k = 1 FOR UPDATE');
is(ask($two, "SELECT remove_all('{1,2}', false)"), '{locked,written}', 'held');
ok(waits($two, "SELECT remove_all('{1}', true)"), 'waits');
$one->query_safe("DELETE FROM item WHERE k = 1; COMMIT");
is(ask($two, 'SELECT 1'), "{gone}\n1", 'deleted meanwhile');
ask($one, "SELECT put_many('{1}')");
$one->query_safe("BEGIN; UPDATE item SET v = 'w' WHERE k = 1");
is(ask($two, "SELECT change(1, 'x', NULL, false)"), 'locked', 'being changed');
ok(waits($two, "SELECT change(1, 'x', NULL, true)"), 'waits');
$one->query_safe('COMMIT');
is(ask($two, 'SELECT 1'), "gone\n1", 'changed meanwhile');
is(ask($two, 'SELECT find(1, false)'), 'w', 'the other one holds');

# A place that is remembered.
empty();
ask($one, "SELECT put_many('{1,2,3}')");
my $place = ask($one, 'SELECT place(3)');
is(ask($one, "SELECT remove_at('$place', 2, true)"), 'another', 'another row is there');
is(ask($one, "SELECT remove_at('(4000000,1)', 2, true)"), 'not there', 'beyond the end');
is(ask($one, "SELECT remove_at('(0,200)', 2, true)"), 'not there', 'beyond the page\'s end');
is(ask($one, "SELECT remove_at('$place', 3, true)"), 'written', 'there');
is(ask($one, "SELECT remove_at('$place', 3, true)"), 'not there', 'deleted');
$node->safe_psql('postgres', 'VACUUM rows.item');
is(ask($one, "SELECT remove_at('$place', 3, true)"), 'not there', 'nothing at its place');
ask($one, "SELECT put(4, NULL, NULL)");
is(ask($one, "SELECT remove_at('$place', 3, true)"), 'another', 'another one at its place');
$place = ask($one, "SELECT remove_all('{1,2}', true)") && ask($one, 'SELECT place(4)');
$node->safe_psql('postgres', 'VACUUM FULL rows.item');
is(ask($one, "SELECT remove_at('$place', 4, true)"), 'not there', 'moved by VACUUM FULL');
is(ask($one, "SELECT remove_all('{4}', true)"), '{written}', 'but found by its key');
$node->safe_psql('postgres', 'TRUNCATE rows.item');
is(ask($one, "SELECT remove_at('$place', 4, true)"), 'not there', 'after TRUNCATE');

# Indexes that change between the calls.
empty();
ask($one, "SELECT put_many('{1,2,3}')");
foreach my $sql ('REINDEX INDEX CONCURRENTLY rows.item_k', 'REINDEX TABLE CONCURRENTLY rows.item', 'REINDEX INDEX rows.item_k', 'VACUUM FULL rows.item',
	'CLUSTER rows.item USING item_v', 'ALTER TABLE rows.item SET (fillfactor = 70)', 'ANALYZE rows.item', 'CREATE INDEX item_more ON rows.item (v, k)',
	'DROP INDEX rows.item_more', 'DROP INDEX rows.item_k; CREATE UNIQUE INDEX item_k ON rows.item (k)')
{
	$node->safe_psql('postgres', $_) foreach split /; /, $sql;
	is(ask($one, "SELECT find(2, false) || (put(2, NULL, NULL) OR put(3, NULL, NULL))"), 'v2false', $sql);
}
is_sound('changed indexes');
$node->safe_psql('postgres', 'ALTER INDEX rows.item_k RENAME TO item_other');
is(ask($one, 'SELECT find(2, false)'), 'v2', 'renamed: who knows it goes on');
is(ask($two, 'SELECT find(2, false)') =~ /^(v2|42P01)$/, 1, 'who asks again is told, or goes on');
is(ask(my $third = session($node), 'SELECT rows.find(2, false)'), '42P01', 'a new session is told');
$node->safe_psql('postgres', 'ALTER INDEX rows.item_other RENAME TO item_k');
is(ask($third, 'SELECT rows.find(2, false)'), 'v2', 'and finds it again');
$third->quit;

# Within a transaction that has used it: the index stays until its end.
$one->query_safe('BEGIN; SELECT find(2, false)');
my $reindex = session($node);
start_query($reindex, 'REINDEX INDEX CONCURRENTLY rows.item_k');
ok(until_sql($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'REINDEX%' AND wait_event_type = 'Lock'}), 'REINDEX waits');
is(ask($one, 'SELECT find(2, false)'), 'v2', 'and does not disturb');
is(ask($two, "SELECT put(2, NULL, NULL) OR put(2, NULL, NULL)"), 'f', 'nor somebody else, while there are two indexes');
is(ask($two, "SELECT put_many('{1,20,21,20}')"), '{f,t,t,f}', 'nor many');
$one->query_safe('COMMIT');
$reindex->query_safe('SELECT 1');
$reindex->quit;
is(ask($one, 'SELECT find(2, false)'), 'v2', 'and after it');
is_sound('REINDEX beside');

# Triggers.
empty();
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE rows.log (n bigint GENERATED ALWAYS AS IDENTITY, what text);
CREATE FUNCTION rows.note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
	INSERT INTO rows.log (what) VALUES (TG_OP || ' ' || coalesce(OLD.k::text, '-') || ' ' || coalesce(NEW.k::text || NEW.v, '-')); RETURN NULL; END$$;
CREATE FUNCTION rows.alter() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
	IF NEW.k = 13 THEN RETURN NULL; END IF; NEW.v := upper(NEW.v); RETURN NEW; END$$;
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON rows.item FOR EACH ROW EXECUTE FUNCTION rows.note();
CREATE TRIGGER alter BEFORE INSERT ON rows.item FOR EACH ROW EXECUTE FUNCTION rows.alter();
SQL
is(ask($one, "SELECT put(1, 'a', NULL)"), 't', 'put with triggers');
is(ask($one, "SELECT put(1, 'a', NULL)"), 'f', 'again');
is(ask($one, "SELECT put(13, 'a', NULL)"), 'f', 'kept back');
is(ask($one, "SELECT put_many('{13,2,1,3,13}')"), '{f,t,f,t,f}', 'many');
is(ask($one, "SELECT add_many('{4,13,5,13}')"), '', 'add many');
is(ask($one, "SELECT add(13, 'b', NULL)"), '', 'add, kept back');
is(ask($one, "SELECT change(2, 'b', NULL, true) || remove_all('{3}', true)::text"), 'written{written}', 'change and delete');
is($node->safe_psql('postgres', 'SELECT string_agg(what, \', \' ORDER BY n) FROM rows.log'),
	'INSERT - 1A, INSERT - 2V2, INSERT - 3V3, INSERT - 4V4, INSERT - 5V5, UPDATE 2 2b, DELETE 3 -', 'fired once for each row that was put');
$node->safe_psql('postgres', 'CREATE TRIGGER before BEFORE UPDATE OR DELETE ON rows.item FOR EACH ROW EXECUTE FUNCTION rows.alter()');
is(ask($one, "SELECT change(2, 'b', NULL, true)") . ask($one, "SELECT remove_all('{2}', true)"), '0A0000A000', 'a trigger before a change is refused');
is(ask($one, "SELECT put(6, 'a', NULL)"), 't', 'but not before what does not fire it');
$node->safe_psql('postgres', 'DROP TRIGGER before ON rows.item; DROP TRIGGER note ON rows.item; DROP TRIGGER alter ON rows.item;'
		. 'CREATE CONSTRAINT TRIGGER late AFTER INSERT ON rows.item DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION rows.note(); TRUNCATE rows.log');
is(ask($one, "BEGIN; SELECT put(30, 'a', NULL); SELECT count(*) FROM log; COMMIT; SELECT count(*) FROM log"), "t\n0\n1", 'a deferred one');
$node->safe_psql('postgres', 'DROP TRIGGER late ON rows.item');

# A table that was altered.
$node->safe_psql('postgres', 'ALTER TABLE rows.item ADD COLUMN more text');
is(ask($one, "SELECT put(40, 'a', NULL)"), '55000', 'a column too many');
is(ask($one, 'SELECT find(30, false)'), 'a', 'can be read');
$node->safe_psql('postgres', 'ALTER TABLE rows.item DROP COLUMN more');
is(ask($one, "SELECT put(40, 'a', NULL)"), '55000', 'its place stays');

# A table of the same name, and another extension.
$node->safe_psql('postgres', "DROP TABLE rows.item; $create_table");
is(ask($one, "SELECT put(1, 'new', NULL) AND find(1, false) = 'new'"), 't', 'made anew');
$node->safe_psql('postgres', "DROP TABLE rows.item");
is(ask($one, 'SELECT find(1, false)'), '42P01', 'gone');
$node->safe_psql('postgres', $create_table);
is(ask($one, "SELECT put(1, 'x', NULL)"), 't', 'there again');
$node->safe_psql('postgres', 'DROP EXTENSION paws_sync');
is(ask($one, 'SELECT find(1, false)'), 'x', 'without the extension nothing is remembered');
$node->safe_psql('postgres', "CREATE EXTENSION paws_sync; DROP TABLE rows.item; $create_table");
is(ask($one, "SELECT put(1, 'y', NULL)"), 't', 'created anew');
my $dropped = session($node);
$dropped->query_safe('BEGIN; LOCK TABLE rows.item');
ok(waits($one, 'SELECT find(1, false)'), 'one that waits for the table');
$dropped->query_safe("DROP TABLE rows.item; $create_table; COMMIT");
$dropped->quit;
is(ask($one, "SELECT put(1, 'z', NULL)"), "\nt", 'finds the new one');

# The same keys from many sides, with aborts, REINDEX CONCURRENTLY and VACUUM beside: each once, and no error but a
# deadlock of those that have sets in different orders.
empty();
$node->safe_psql('postgres', 'CREATE TABLE rows.told (k bigint)');
my $script = $node->basedir . '/many.sql';
append_to_file($script, <<'SCRIPT');
\set a random(1, 3000)
\set n random(1, 30)
\set fail random(1, 5)
BEGIN;
INSERT INTO rows.told SELECT k FROM (SELECT ARRAY(SELECT generate_series(:a, :a + :n)::bigint) AS keys) s,
	LATERAL unnest(keys, rows.put_many(keys)) AS t (k, put) WHERE put;
INSERT INTO rows.told SELECT :a + :n + 1 WHERE rows.put(:a + :n + 1, 'one', NULL);
INSERT INTO rows.told SELECT :a + :n + 2 WHERE rows.put_new(:a + :n + 2, 'one', NULL);
\if :fail = 1
ROLLBACK;
\else
COMMIT;
\endif
SCRIPT
my $said = '';
my $load = IPC::Run::start([ 'pgbench', '-n', '-c', 6, '-T', 8, '--max-tries=1000', '-f', $script, '-h', $node->host,
		'-p', $node->port, '-U', 'postgres', 'postgres' ], '<', \undef, '>&', \$said);
while ($load->pumpable)
{
	$node->safe_psql('postgres', 'REINDEX TABLE CONCURRENTLY rows.item');
	$node->safe_psql('postgres', 'VACUUM rows.item');
	$node->safe_psql('postgres', 'WITH d AS (DELETE FROM rows.item WHERE k % 7 = 0 RETURNING k) DELETE FROM rows.told USING d WHERE told.k = d.k');
	$load->pump_nb;
}
$load->finish;
note($said);
unlike($said, qr/aborted/, 'no client gave up');
like($said, qr/number of failed transactions: 0 /, 'no error but deadlocks that were retried') or diag($said);
is($node->safe_psql('postgres', 'SELECT count(*) - count(DISTINCT k) || \' \' || (count(*) > 500) FROM rows.item'), '0 true', 'each once');
is($node->safe_psql('postgres', 'SELECT count(*) FROM (SELECT k FROM rows.item EXCEPT ALL SELECT k FROM rows.told) x'), '0', 'each was told');
is($node->safe_psql('postgres', 'SELECT count(*) FROM (SELECT k FROM rows.told EXCEPT ALL SELECT k FROM rows.item) x'), '0', 'and none in vain');
is_sound('many sides');

$_->quit foreach $one, $two;
unlike(slurp_file($node->logfile), qr/leak|PANIC|TRAP/, 'nothing leaked');
crash_free($node);
$node->stop;
done_testing();
