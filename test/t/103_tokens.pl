# Forged tokens at every door: each function that takes a token, found in the catalogs, is called with thousands that are
# random but well formed, thousands with one bit changed, and as many with one bit changed and the checksum made to match.
# None is accepted, and the answer never says more than that. What is tried by the million is in the unit tests, on the
# C functions that these come down to.

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;

my $RANDOM = 2000;
my $FLIPPED = 1000;    # of each sort
my $GENUINE = 40;

my $node = PawsNode->new_node('tokens');
my $dir = $node->basedir;

# The types that are tokens, and good ones of each that can be had.
my @kinds = split /\n/, $node->safe_psql('postgres',
	"SELECT typname FROM pg_type WHERE typnamespace = 'paws_sync'::regnamespace AND typlen = 25 AND typtype = 'b' ORDER BY 1");
is_deeply([ grep { /^(subject|device)$/ } @kinds ], [ 'device', 'subject' ], 'there are subjects and devices');
$node->safe_psql('postgres', <<"SQL");
CREATE TABLE genuine AS
	SELECT 'subject' AS kind, paws_sync.subject_for('person ' || n)::text AS token FROM generate_series(1, $GENUINE) n;
INSERT INTO genuine SELECT 'device', paws_sync.register_device(token::paws_sync.subject, 'web')::text FROM genuine;
SQL
$node->safe_psql('postgres', "COPY genuine TO '$dir/genuine'");

# An implementation of the format of its own; see src/guard/token.h.
my $script = <<'PYTHON';
import base64, hashlib, os, random, sys

directory, count, flipped, kinds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
PREFIX = {"subject": (b"s", "sub_"), "device": (b"d", "dev_"), "context": (b"c", "ctx_"), "session": (b"e", "ses_")}
genuine = [line.rstrip("\n").split("\t") for line in open(directory + "/genuine")]

def text(kind, wire):
    return PREFIX[kind][1] + base64.urlsafe_b64encode(wire).decode()

def checked(kind, stored):
    digest = hashlib.blake2b(b"paws_sync token checksum v1" + PREFIX[kind][0] + stored, digest_size=32).digest()
    return text(kind, stored + digest[:5])

def flip(data):
    data = bytearray(data)
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(data)

with open(directory + "/forged", "w") as out:
    for kind in kinds:
        good = [base64.urlsafe_b64decode(token[4:]) for k, token in genuine if k == kind]
        assert all(checked(kind, wire[:25]) == text(kind, wire) for wire in good)
        for i in range(count):
            # the mint key's number is no secret; with it, only the MAC is left to guess
            out.write(f"{kind}\trandom\t{checked(kind, os.urandom(16) + bytes([1 if i % 2 else i // 2 % 256]) + os.urandom(8))}\n")
        for i in range(flipped):
            wire = random.choice(good) if good else os.urandom(30)
            out.write(f"{kind}\tflipped\t{text(kind, flip(wire))}\n")
            out.write(f"{kind}\tflipped to match\t{checked(kind, flip(wire[:25]))}\n")
PYTHON
my ($out, $err);
ok(IPC::Run::run([ '/usr/bin/python3', '-c', $script, $dir, $RANDOM, $FLIPPED, @kinds ], '<', \undef, '>', \$out, '2>', \$err),
	'tokens are forged') or diag($err);
$node->safe_psql('postgres', <<"SQL");
CREATE TABLE forged (kind text, sort text, token text);
COPY forged FROM '$dir/forged';
SQL

# Every argument of every function and procedure that is a token, but for those behind the types themselves.
$node->safe_psql('postgres', <<'SQL');
CREATE VIEW support AS
	SELECT unnest(ARRAY[typinput, typoutput, typreceive, typsend]::oid[]) AS oid FROM pg_type WHERE typnamespace = 'paws_sync'::regnamespace
	UNION SELECT oprcode FROM pg_operator WHERE oprnamespace = 'paws_sync'::regnamespace
	UNION SELECT amproc FROM pg_amproc a JOIN pg_opfamily f ON f.oid = a.amprocfamily WHERE f.opfnamespace = 'paws_sync'::regnamespace;
CREATE VIEW door AS
	SELECT p.oid, p.oid::regprocedure::text AS function, p.prokind, a.n, t.typname::text AS kind
	FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'paws_sync',
	unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (type, n) JOIN pg_type t ON t.oid = a.type
	WHERE t.typnamespace = 'paws_sync'::regnamespace AND t.typlen = 25 AND p.oid NOT IN (SELECT oid FROM support);

-- A call of it in which $1 stands for the token; whatever else it needs is something of the right type.
CREATE FUNCTION call_of(door) RETURNS text LANGUAGE sql AS $$
	SELECT format(CASE $1.prokind WHEN 'p' THEN 'CALL %s(%s)' ELSE 'SELECT FROM %s(%s)' END, p.oid::regproc,
		string_agg(coalesce(quote_ident(p.proargnames[a.n]) || ' => ', '') || CASE
			WHEN a.n = $1.n THEN '$1'
			WHEN t.typtype = 'e' THEN quote_literal((SELECT enumlabel FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder DESC LIMIT 1))
			WHEN t.typcategory = 'A' THEN quote_literal('{}')
			WHEN t.typname IN ('jsonb', 'json') THEN quote_literal('[]')
			WHEN t.typname IN ('text', 'name') THEN quote_literal('ios')
			WHEN t.typcategory = 'N' THEN '1'
			WHEN t.typcategory = 'T' THEN quote_literal('1 second')
			WHEN t.typcategory = 'D' THEN quote_literal('2030-01-01Z')
			WHEN t.typname = 'bool' THEN 'true'
			WHEN t.typname = 'uuid' THEN quote_literal(gen_random_uuid())
			WHEN t.typname = 'bytea' THEN quote_literal('x')
			WHEN t.typlen = 25 THEN coalesce((SELECT quote_literal(token) FROM genuine WHERE kind = t.typname LIMIT 1), 'NULL')
			ELSE 'NULL' END || '::' || format_type(t.oid, NULL), ', ' ORDER BY a.n))
	FROM pg_proc p, unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (type, n) JOIN pg_type t ON t.oid = a.type
	WHERE p.oid = $1.oid AND (a.n = $1.n OR a.n <= p.pronargs - p.pronargdefaults) GROUP BY p.oid
$$;

-- What becomes of each; what is accepted is undone. A function for each, so that its plan is made once.
CREATE TABLE knock AS SELECT row_number() OVER () AS no, d AS door, call_of(d) AS call FROM door d;
SELECT format($outer$
	CREATE FUNCTION knock_%s(token text) RETURNS text LANGUAGE plpgsql AS $inner$
	BEGIN
		%s;
		RAISE EXCEPTION USING ERRCODE = '0K000';
	EXCEPTION WHEN OTHERS THEN
		RETURN CASE SQLSTATE WHEN '0K000' THEN 'accepted' ELSE SQLSTATE END;
	END
	$inner$ $outer$, no, regexp_replace(call, '^SELECT FROM', 'PERFORM FROM')) FROM knock \gexec
CREATE TABLE answer (function text, n bigint, kind text, sort text, state text, count bigint);
CREATE TABLE control (function text, n bigint, kind text, state text);
SELECT format('INSERT INTO answer SELECT %L, %s, kind, sort, knock_%s(token), count(*) FROM forged WHERE kind = %L GROUP BY 3, 4, 5',
	(door).function, (door).n, no, (door).kind) FROM knock \gexec
SELECT format('INSERT INTO control SELECT %L, %s, %L, knock_%s((SELECT token FROM genuine WHERE kind = %L LIMIT 1))',
	(door).function, (door).n, (door).kind, no, (door).kind) FROM knock \gexec
SQL

my $doors = $node->safe_psql('postgres', 'SELECT count(*) FROM door');
cmp_ok($doors, '>=', 12, "$doors arguments of functions take a token");
is($node->safe_psql('postgres', "SELECT count(DISTINCT function || n) FROM answer"), $doors, 'each was tried');
is($node->safe_psql('postgres', "SELECT string_agg(DISTINCT function, ', ') FROM answer WHERE state = 'accepted'"), '',
	'none lets a forged token in');
is($node->safe_psql('postgres', 'SELECT sum(count) FROM answer'), $doors * ($RANDOM + 2 * $FLIPPED), 'of all that were tried');
is($node->safe_psql('postgres', <<'SQL'), '', 'the answer is that it is no token, or none of this installation');
SELECT string_agg(function || ' ' || sort || ' ' || state, ', ') FROM answer
WHERE state <> CASE sort WHEN 'flipped' THEN '22P02' ELSE 'PW001' END
SQL

# That says something only if a good token is not answered so.
is($node->safe_psql('postgres', "SELECT string_agg(function || ' ' || coalesce(state, 'NULL'), ', ') FROM control "
	  . "WHERE kind IN (SELECT kind FROM genuine) AND (state IS NULL OR state IN ('PW001', '22P02', '42883', '42601'))"), '',
	'each lets a good token in, or has something else to say');
note($node->safe_psql('postgres', "SELECT function || ': ' || state FROM control ORDER BY 1"));
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM control WHERE state = 'accepted'"), '>=', 10, 'most have nothing to say');

$node->stop;
done_testing();
