# What tests of rotation and erasure need: documents of every kind whose content is known, jobs, and the tool
# that opens wrapped keys without a server. The functions are exported.

package PawsKeys;

use strict;
use warnings;

use Exporter 'import';
use PawsKeyring;
use PawsNode;
use PawsProbe;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(
  define_sealings make_content content_is load_subjects load_is rotate job_of wait_job wait_phase stays_in_phase
  epochs_of epoch_states erasure_state build_tool write_contexts opened_keys NIL
);

use constant NIL => '00000000-0000-0000-0000-000000000000';

# A collection for each way to seal, beside those of every node.
my %SEALING = (
	sealed_standard => "'standard', 'server_order', 'standard', false",
	sealed_small => "'standard', 'server_order', 'standard', true",
	sealed_aes => "'interactive', 'server_order', 'aes', true",
	sealed_layered => "'session', 'server_order', 'layered'",
	sealed_client => "'standard', 'server_order', 'client'",
	sealed_branch => "'standard', 'branch'");

sub define_sealings
{
	my ($node, $database) = @_;

	$node->safe_psql($database // 'postgres',
		join(';', map { "SELECT paws_sync.define_collection('$_', $SEALING{$_})" } sort keys %SEALING));
	return;
}

# A subject with documents of every kind and the lowest id, a deleted one, and branches, one of them of a document that
# is gone.
# Returns what content_is compares with.
sub make_content
{
	my ($node, $ref, $database) = @_;
	my %made = (ref => $ref, subject => new_subject($node, $ref, 'premium', $database), documents => {}, branches => {});
	my $phone = new_device($node, $ref, 'ios', $database);
	my @pushes;

	$made{phone} = $phone;
	$made{reader} = new_device($node, $ref, 'web', $database);
	my $document = sub {
		my ($collection, $payload, $doc_id) = @_;

		$doc_id //= new_uuid();
		$made{documents}{$doc_id} = $payload;
		push @pushes, op_json($collection, doc_id => $doc_id, payload => $payload);
		return $doc_id;
	};
	$document->($_, "$_ of $ref") foreach sort(keys %SEALING), qw(safety emergency control bulk);
	$document->($_, "much of $ref " x 20_000) foreach qw(sealed_standard sealed_small sealed_layered);
	$document->('safety', "long of $ref " x 10_000);
	$document->('sealed_standard', '');
	push @pushes, op_json('sealed_standard', doc_id => NIL, payload => "zeros of $ref");
	paws_push($node, $phone, [ splice @pushes, 0, 3 ], $database) while @pushes;
	wait_queue($node, $database);

	# the first of two wins; the other is a branch
	foreach my $n (1 .. 3)
	{
		my $doc_id = new_uuid();
		my $op_id = new_uuid();

		paws_push($node, $phone, [ op_json('sealed_branch', doc_id => $doc_id, payload => "first $n of $ref") ], $database);
		wait_queue($node, $database);
		paws_push($node, $phone, [ op_json('sealed_branch', doc_id => $doc_id, op_id => $op_id, payload => "second $n of $ref") ],
			$database);
		wait_queue($node, $database);
		$made{branches}{$op_id} = "second $n of $ref";
		$made{documents}{$doc_id} = "first $n of $ref";
		next if $n > 1;
		paws_push($node, $phone, [ op_json('sealed_branch', doc_id => $doc_id, base_revision => 1, deleted => 1) ], $database);
		wait_queue($node, $database);
		$node->safe_psql($database // 'postgres', "DELETE FROM paws_care.document WHERE deleted AND doc_id = '$doc_id'");
		delete $made{documents}{$doc_id};
	}
	return \%made;
}

sub wait_queue
{
	my ($node, $database) = @_;

	until_sql($node, 'SELECT NOT EXISTS (SELECT FROM paws_queue.operation)', database => $database // 'postgres')
	  or die 'the queue does not run empty';
	return;
}

# One test: a new reader finds all documents of the subject with their content, and the branches open.
sub content_is
{
	my ($node, $made, $name, $database) = @_;
	my ($rows) = paws_pull($node, $made->{reader}, undef, $database);
	my %found = map { $_->{doc_id} => $_->{payload} } grep { $_->{kind} eq 'change' } @$rows;
	my @wrong = grep { ($found{$_} // 'nothing') ne $made->{documents}{$_} } sort keys %{ $made->{documents} };
	my @odd = grep { $_->{kind} ne 'change' && $_->{kind} ne 'position' } @$rows;
	my $library = build_module('open_sealed');

	$node->safe_psql($database // 'postgres', <<"SQL");
CREATE OR REPLACE FUNCTION open_sealed(home int, subject_no bigint, subject paws_sync.subject, collection int, doc_id uuid,
	op_id uuid, base_revision bigint, envelope bytea) RETURNS bytea STRICT LANGUAGE c AS '$library'
SQL
	my %branches = map { split /\|/ } split /\n/, $node->safe_psql($database // 'postgres', <<"SQL");
SELECT b.op_id, convert_from(open_sealed(0, b.subject_no, s.subject, b.collection, b.doc_id, b.op_id, b.base_revision,
	b.envelope), 'UTF8')
FROM paws_care.branch b JOIN paws_registry.subject s USING (subject_no) WHERE s.subject::text = '$made->{subject}'
SQL
	my $zeros = $node->safe_psql($database // 'postgres', <<"SQL");
SELECT convert_from(open_sealed(0, d.subject_no, s.subject, d.collection, d.doc_id, d.op_id, d.base_revision, d.envelope), 'UTF8')
FROM paws_care.document d JOIN paws_registry.subject s USING (subject_no)
WHERE s.subject::text = '$made->{subject}' AND d.doc_id = '@{[NIL]}'
SQL
	delete $found{ NIL() };
	push @wrong, NIL if $zeros ne "zeros of $made->{ref}";
	push @wrong, grep { ($branches{$_} // 'nothing') ne $made->{branches}{$_} } sort keys %{ $made->{branches} };

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok(!@wrong && !@odd && keys(%found) == keys(%{ $made->{documents} }), $name)
	  || diag("wrong: @wrong; odd: @{[ map { \"$_->{kind} $_->{code}\" } @odd ]}; "
		  . keys(%found) . ' of ' . keys(%{ $made->{documents} }));
}

# Asks for a rotation and waits for its end; the job as a hash.
sub rotate
{
	my ($node, $kind, $database) = @_;

	return wait_job($node, $node->safe_psql($database // 'postgres', "SELECT paws_sync.rotate_keys('$kind')"), $database);
}

sub job_of
{
	my ($node, $job, $database) = @_;
	my %job;

	@job{qw(kind phase done total left_over finished)} = split /\|/, $node->safe_psql($database // 'postgres',
		"SELECT kind, phase, done, total, left_over, finished_at IS NOT NULL FROM paws_sync.pg_stat_progress_paws_sync_keys WHERE job = $job");
	return \%job;
}

# Also while the server comes back from a crash.
sub wait_job
{
	my ($node, $job, $database) = @_;

	until_sql($node, "SELECT finished_at IS NOT NULL FROM paws_sync.pg_stat_progress_paws_sync_keys WHERE job = $job",
		database => $database // 'postgres')
	  or die 'the rotation does not end: ' . join(' ', %{ job_of($node, $job, $database) });
	return job_of($node, $job, $database);
}

sub wait_phase
{
	my ($node, $job, $phase, $database) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok(until_sql($node, "SELECT phase = '$phase' FROM paws_sync.pg_stat_progress_paws_sync_keys WHERE job = $job",
			database => $database // 'postgres'), "the rotation comes to $phase")
	  || diag(join ' ', %{ job_of($node, $job, $database) });
}

# One test: in so many turns of the scheduler a job leaves its phase not once.
sub stays_in_phase
{
	my ($node, $job, $phase, $name, $database) = @_;
	my $turns = "SELECT batches FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'scheduler' AND database = '"
	  . ($database // 'postgres') . q(');
	my $before = $node->safe_psql('postgres', $turns);

	until_sql($node, "SELECT ($turns) > $before + 5") or die 'the scheduler has no turns';
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(job_of($node, $job, $database)->{phase}, $phase, $name);
}

# "care 2 current 5": the epochs that there are, or those with a state; with their keys.
sub epoch_states
{
	my ($node, $database) = @_;
	return $node->safe_psql($database // 'postgres',
		"SELECT string_agg(root || ' ' || state || ' ' || keys, ', ' ORDER BY root, number) FROM paws_sync.key_status() "
		  . "WHERE kind = 'epoch' AND state <> 'foreign'");
}

# The numbers of the epochs of a root in a keyring file.
sub epochs_of
{
	my ($keyring, $root) = @_;
	return join ' ', content_of($keyring) =~ /^epoch $root (\d+) /mg;
}

sub erasure_state
{
	my ($node, $subject, $database) = @_;
	return $node->safe_psql($database // 'postgres', "SELECT state FROM paws_sync.erasure_status('$subject')");
}

# Compiles test/tools/NAME.c with the parts of the vault that know nothing of the server; the path of the program.
sub build_tool
{
	my ($name) = @_;
	my $made = "$PostgreSQL::Test::Utils::tmp_check/$name";
	my $source = "$ENV{TESTDIR}/src/vault";

	system_or_bail($ENV{CC} // 'cc', '-O2', "-I$ENV{TESTDIR}/src", '-o', $made, "$ENV{TESTDIR}/test/tools/$name.c",
		(map { "$source/$_.c" } qw(keyring_format keyring_wrap purpose root_grammar)), '-lsodium')
	  unless -e $made;
	return $made;
}

# What the tool has to know of the keys that are stored now.
sub write_contexts
{
	my ($node, $path, $database) = @_;

	put_file($path, $node->safe_psql($database // 'postgres', <<'SQL') . "\n");
SELECT concat_ws(' ', 0, subject_no, replace(key_id::text, '-', ''), version, kek_epoch, '-', encode(wrapped, 'hex'))
FROM paws_vault.data_key
UNION ALL SELECT concat_ws(' ', 1, subject_no, replace(key_id::text, '-', ''), version, kek_epoch, encode(public_key, 'hex'),
	encode(wrapped, 'hex'))
FROM paws_crisis.subject_key
SQL
	return $path;
}

# The keys that the tool opens: "home subject_no key_id" => 64 digits. The folder has roots and keyring.
sub opened_keys
{
	my ($folder, $contexts) = @_;
	my ($out, $err) = run_command([ build_tool('wrapped_keys'), "$folder/keyring", "$folder/care.root", "$folder/crisis.root",
			$contexts, 'open' ]);

	die $err if $err ne '';
	return map { /^(.*) ([0-9a-f]{64})$/ ? ($1 => $2) : () } split /\n/, $out;
}

# Subjects of a load, and whether all that they have can be read: every document as its last operation left it.
sub load_is
{
	my ($load, $name) = @_;
	my $node = $load->{node};
	my @wrong;
	my $seen = 0;

	foreach my $subject (@{ $load->{subjects} })
	{
		my ($rows) = paws_pull($node, $subject->{reader});

		foreach my $row (@$rows)
		{
			my $operation = $load->{operations}{"$subject->{no} $row->{op_id}"};

			next if $row->{kind} eq 'position';
			$seen++;
			push @wrong, "$row->{kind} $row->{doc_id} $row->{op_id}"
			  if $row->{kind} ne 'change' || !$operation || $row->{payload} ne "$operation->{sequence}";
		}
	}
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok($seen > 0 && !@wrong, "$name: all $seen documents are as their last operation left them")
	  || diag("wrong: @wrong[0 .. ($#wrong > 5 ? 5 : $#wrong)]");
}

sub load_subjects { return map { $_->{reader} } @{ $_[0]->{subjects} } }

1;
