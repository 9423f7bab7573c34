# Writers whose every operation is kept account of: what was sent, what was acknowledged, what was rolled back.
# After any crash: resume, let the queue run empty, and compare the account with what the server holds.
#
#   my $load = PawsLoad->new($node, writers => 8, subjects => 1);
#   $load->begin(500);               # each writer runs that many transactions in a psql of its own
#   ... kill something ...
#   $load->finish;                   # waits for the sessions, reads what was acknowledged
#   $load->begin(10); $load->finish; # sends again what has no answer, and some more
#   $load->check('after the crash');

package PawsLoad;

use strict;
use warnings;

use POSIX qw(WNOHANG);
use PawsNode;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

# Ordinary collections of a document, by its number; each of another level.
my @ORDINARY = qw(interactive standard background session);

# writers, subjects, documents (for each subject and lane), crisis (share of crisis operations),
# largest (most operations in one push), rollbacks (share of transactions with a savepoint or an abort).
sub new
{
	my ($class, $node, %o) = @_;
	my $self = bless {
		node => $node,
		writers => [],
		documents => $o{documents} // 20,
		crisis => $o{crisis} // 0.1,
		largest => $o{largest} // 8,
		rollbacks => $o{rollbacks} // 0,
		subjects => [],
		operations => {},
	}, $class;

	# limits are not what these tests are about
	$node->safe_psql('postgres',
		"SELECT paws_sync.set_tier_policy('premium', 1000000, 1000000, 1000000000, 1000000000, NULL, 100)");
	foreach my $n (1 .. $o{subjects} // 1)
	{
		my $ref = "load $n of $$ " . new_uuid();
		my $subject = new_subject($node, $ref, 'premium');
		my $reader = new_device($node, $ref, 'web');
		my $no = $node->safe_psql('postgres', "SELECT subject_no FROM paws_registry.subject "
			  . "WHERE subject OPERATOR(paws_sync.=) '$subject'");
		push @{ $self->{subjects} },
		  {
			ref => $ref,
			no => $no,
			reader => $reader,
			ordinary => [ map { new_uuid() } 1 .. $self->{documents} ],
			crisis => [ map { new_uuid() } 1 .. 3 ],
		  };
	}
	foreach my $n (1 .. $o{writers} // 4)
	{
		my $subject = $self->{subjects}[ $n % @{ $self->{subjects} } ];
		push @{ $self->{writers} },
		  {
			number => $n,
			subject => $subject,
			device => new_device($node, $subject->{ref}),
			sequence => 0,
			again => [],
		  };
	}
	return $self;
}

# A new operation of a writer, in its account.
sub _operation
{
	my ($self, $writer) = @_;
	my $subject = $writer->{subject};
	my $crisis = rand() < $self->{crisis};
	my $documents = $subject->{ $crisis ? 'crisis' : 'ordinary' };
	my $d = int(rand(@$documents));
	my $sequence = ++$writer->{sequence};
	my $operation = {
		op_id => sprintf('%08x-0000-4000-8000-%012x', $writer->{number}, $sequence),
		doc_id => $documents->[$d],
		collection => $crisis ? 'safety' : $ORDINARY[ $d % @ORDINARY ],
		writer => $writer,
		sequence => $sequence,
		lane => $crisis ? 'crisis' : 'ordinary',
		state => 'new',
		again => 0,
	};
	$self->{operations}{"$subject->{no} $operation->{op_id}"} = $operation;
	return $operation;
}

sub _push
{
	my ($self, $writer, @operations) = @_;
	my $json = join(', ',
		map { op_json($_->{collection}, op_id => $_->{op_id}, doc_id => $_->{doc_id}, payload => "$_->{sequence}") }
		  @operations);

	return "SELECT 'row', op_id, outcome, coalesce(code, '') FROM paws_sync.push('$writer->{device}', '[$json]');\n";
}

# The text of one transaction; sets which operations its commit acknowledges.
sub _transaction
{
	my ($self, $writer, $chunk) = @_;
	my $some = sub { map { $self->_operation($writer) } 1 .. 1 + int(rand($self->{largest})) };
	my @kept = $some->();
	my @lost;
	my $text = $self->_push($writer, @kept);

	if (rand() < $self->{rollbacks})
	{
		my @inner = $some->();
		my @after = $some->();
		my $dice = rand();

		if ($dice < 0.3)
		{
			$text = "BEGIN;\n$text" . $self->_push($writer, @inner) . "ROLLBACK;\n";
			@lost = (@kept, @inner, @after);
			@kept = ();
		}
		else
		{
			my $end = $dice < 0.7 ? 'ROLLBACK TO a' : 'RELEASE a';
			$text = "BEGIN;\n${text}SAVEPOINT a;\n" . $self->_push($writer, @inner) . "$end;\n"
			  . $self->_push($writer, @after) . "COMMIT;\n";
			@lost = @inner if $dice < 0.7;
			push @kept, @inner if $dice >= 0.7;
			push @kept, @after;
		}
	}
	$_->{state} = 'rolled back' foreach @lost;
	$chunk->{operations} = \@kept;
	return $text;
}

# Starts a session for each writer: what has no answer yet, then so many new transactions.
sub begin
{
	my ($self, $transactions) = @_;

	foreach my $writer (@{ $self->{writers} })
	{
		my $base = "$PostgreSQL::Test::Utils::tmp_check/" . $self->{node}->name . "_writer_$writer->{number}";
		my @chunks;

		open(my $file, '>', "$base.sql") or die "could not write $base.sql: $!";
		while (my @some = splice @{ $writer->{again} }, 0, 50)
		{
			push @chunks, { operations => [@some] };
			print $file $self->_push($writer, @some), "\\echo ack $#chunks\n";
		}
		foreach (1 .. $transactions)
		{
			push @chunks, {};
			print $file $self->_transaction($writer, $chunks[-1]), "\\echo ack $#chunks\n";
		}
		close $file;
		$writer->{chunks} = \@chunks;
		$writer->{out} = "$base.out";
		$writer->{err} = "$base.err";
		$writer->{pid} = start_psql($self->{node}, "$base.sql", $writer->{out}, $writer->{err});
	}
	return;
}

# True while some session runs.
sub running
{
	my ($self) = @_;
	my $running = 0;

	foreach my $writer (@{ $self->{writers} })
	{
		$writer->{pid} = 0 if $writer->{pid} && waitpid($writer->{pid}, WNOHANG) != 0;
		$running++ if $writer->{pid};
	}
	return $running;
}

# Waits for the sessions to end and reads what was acknowledged. What the first transaction without an answer
# did is not known: its operations are sent again by the next begin. Later ones were never sent.
sub finish
{
	my ($self) = @_;
	my $cut_off = 0;

	foreach my $writer (@{ $self->{writers} })
	{
		my (%row, %ack);

		waitpid($writer->{pid}, 0) if $writer->{pid};
		$writer->{pid} = 0;
		foreach my $line (split /\n/, slurp_file($writer->{out}))
		{
			$row{$1} = $2 if $line =~ /^row\|([^|]*)\|(.*)/;
			$ack{$1} = 1 if $line =~ /^ack (\d+)/;
		}
		my $open = 0;
		foreach my $n (0 .. $#{ $writer->{chunks} })
		{
			foreach my $operation (@{ $writer->{chunks}[$n]{operations} })
			{
				my $answer = $row{ $operation->{op_id} } // '';

				if ($open)
				{
					delete $self->{operations}{"$writer->{subject}{no} $operation->{op_id}"}
					  if $operation->{state} eq 'new';
					push @{ $writer->{again} }, $operation if $operation->{state} ne 'new';
				}
				elsif ($ack{$n} && $answer =~ /^(accepted|duplicate)\|/)
				{
					$operation->{state} = 'acknowledged';
				}
				elsif ($ack{$n} && $answer !~ /^limited\|(busy|rate)/)
				{
					$operation->{state} = 'refused';
					diag("$operation->{op_id}: $answer");
				}
				else
				{
					$operation->{state} = 'unknown';
					$operation->{again} = 1;
					push @{ $writer->{again} }, $operation;
				}
			}
			$open = 1 unless $ack{$n};
		}
		$cut_off++ if $open;
	}
	return $cut_off;
}

# Waits until so many more operations have been applied than when it is called.
sub wait_progress
{
	my ($self, $more) = @_;
	my $nos = join(', ', map { $_->{no} } @{ $self->{subjects} });
	my $count = "(SELECT sum(position) FROM paws_care.counter WHERE subject_no IN ($nos))";
	my $before = $self->{node}->safe_psql('postgres', "SELECT $count");

	# a load that ended makes none
	for (1 .. 20 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return 1 unless $self->running;
		my (undef, $now) = PawsNode::quiet_psql($self->{node}, "SELECT $count");
		return 1 if $now ne '' && $now >= $before + $more;
		usleep(20_000);
	}
	die 'the load makes no progress';
}

# What sessions complained of; the loss of a connection is not told.
sub complaints
{
	my ($self) = @_;
	my @lines;

	foreach my $writer (@{ $self->{writers} })
	{
		push @lines,
		  grep { /ERROR|PANIC/ } split /\n/, slurp_file($writer->{err});
	}
	return join("\n", @lines);
}

# How many operations have been acknowledged so far, by finished sessions.
sub acknowledged
{
	my ($self) = @_;
	return scalar grep { $_->{state} eq 'acknowledged' } values %{ $self->{operations} };
}

# Sends what has no answer until everything has one; for a node that is up.
sub settle
{
	my ($self) = @_;

	foreach (1 .. 20)
	{
		last unless grep { @{ $_->{again} } } @{ $self->{writers} };
		$self->begin(0);
		$self->finish;
	}
	return;
}

# Waits for an empty queue and compares the account with what is there, as tests.
sub check
{
	my ($self, $what) = @_;
	my %fault = map { $_ => 0 } qw(lost twice phantom gap revision order);
	my $entries = 0;

	$self->settle;
	wait_applied($self->{node});
	foreach my $subject (@{ $self->{subjects} })
	{
		foreach my $lane (qw(ordinary crisis))
		{
			$entries += $self->_check_lane($subject, $lane, \%fault);
		}
	}
	is($fault{lost}, 0, "$what: nothing acknowledged is lost");
	is($fault{twice}, 0, "$what: nothing is applied twice");
	is($fault{phantom}, 0, "$what: nothing is there that was rolled back");
	is($fault{gap}, 0, "$what: no feed has a gap");
	is($fault{revision}, 0, "$what: revisions of every document follow its feed");
	is($fault{order}, 0, "$what: every writer's operations on a document are in the order sent");
	is((grep { $_->{state} ne 'acknowledged' && $_->{state} ne 'rolled back' } values %{ $self->{operations} }) + 0,
		0, "$what: every operation has its answer");
	cmp_ok($entries, '>', 0, "$what: $entries operations were applied");
	wait_for_sql($self->{node}, 'depths of 0',
		"SELECT sum(depth) = 0 FROM paws_sync.pg_stat_paws_sync_lanes WHERE lane = 'ordinary'",
		"SELECT string_agg(level_number || '=' || depth, ' ') FROM paws_sync.pg_stat_paws_sync_lanes WHERE depth > 0");
	ok(depths_agree($self->{node}), "$what: the depths are right");
	return;
}

sub _check_lane
{
	my ($self, $subject, $lane, $fault) = @_;
	my $schema = $lane eq 'crisis' ? 'paws_crisis' : 'paws_care';
	my $node = $self->{node};
	my $feed = $node->safe_psql('postgres',
		"SELECT position, op_id, doc_id, revision, outcome, reason FROM $schema.feed WHERE subject_no = $subject->{no} ORDER BY position");
	my $last = $node->safe_psql('postgres', "SELECT position FROM $schema.counter WHERE subject_no = $subject->{no}");
	my %heads = map { split /\|/ }
	  split /\n/, $node->safe_psql('postgres', "SELECT doc_id, revision FROM $schema.document WHERE subject_no = $subject->{no}");
	my (%seen, %revision, %sequence);
	my $expected = 0;

	foreach my $line (split /\n/, $feed)
	{
		my ($position, $op_id, $doc_id, $revision, $outcome, $reason) = split /\|/, $line;
		my $operation = $self->{operations}{"$subject->{no} $op_id"};

		_fault($fault, 'gap', "position $position after $expected") if $position != ++$expected;
		if (!$operation || $operation->{state} eq 'rolled back' || $operation->{lane} ne $lane)
		{
			_fault($fault, 'phantom', $op_id);
			next;
		}
		_fault($fault, 'twice', $op_id) if $seen{$op_id}++;
		_fault($fault, 'revision', "$op_id: outcome $outcome, reason $reason")
		  if $revision != ++$revision{$doc_id} || $operation->{doc_id} ne $doc_id;
		next if $operation->{again};
		my $key = "$operation->{writer}{number} $doc_id";
		_fault($fault, 'order', "$op_id after $sequence{$key}")
		  if defined $sequence{$key} && $sequence{$key} > $operation->{sequence};
		$sequence{$key} = $operation->{sequence};
	}
	_fault($fault, 'gap', "counter at $last, feed at $expected") if $last != $expected;
	foreach my $doc_id (keys %revision)
	{
		_fault($fault, 'revision', "$doc_id is at " . ($heads{$doc_id} // 'none') . ", feed at $revision{$doc_id}")
		  if ($heads{$doc_id} // 0) != $revision{$doc_id};
	}
	foreach my $operation (values %{ $self->{operations} })
	{
		next if $operation->{writer}{subject} != $subject || $operation->{lane} ne $lane;
		_fault($fault, 'lost', $operation->{op_id})
		  if $operation->{state} eq 'acknowledged' && !$seen{ $operation->{op_id} };
	}
	return $expected;
}

sub _fault
{
	my ($fault, $kind, $text) = @_;

	diag("$kind: $text") if $fault->{$kind}++ < 5;
	return;
}

1;
