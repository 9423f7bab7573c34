/*
 * rule_test.c - a property test of the scheduler: random arrivals, levels, flows, targets, shares and
 * failures are put through queue/rule.c and queue/flow_rule.c, and what comes out is held against what
 * src/queue/SCHEDULING.md proves, worked out from the list of all rows alone. Rules that are broken on
 * purpose must be found out.
 */
#include <string.h>

#include "queue/flow_rule.h"
#include "queue/rule.h"
#include "tap.h"

#define SCHEDULES 100000
#define BROKEN    10000 /* for each broken rule */
#define ROWS      80
#define FLOWS     12 /* below the ways of a set, so that none is forgotten */
#define STEPS     32
#define CLAIMS    4000
#define MS        INT64_C(1000)
#define LEVELS    PAWS_RULE_LEVELS

typedef struct Row
{
	int level;
	int64_t id;
	int64_t rank;
	uint64_t flow;
	int64_t put_at;
	int64_t target;
	int64_t due_at;
	int64_t ready_at;     /* put off until then */
	int64_t virtual_time; /* of its level, when it was put */
	int64_t served_at;    /* INT64_MAX: it waits */
	int64_t age;          /* the greatest of its level while it waited */
	int failures;
} Row;

/* What is tested: the rule, or a broken one. */
typedef struct Variant
{
	const char *name;
	int (*next)(const PawsRuleLevel levels[LEVELS], int64_t now, bool guaranteed);
	bool without_age;
	bool without_turns;
} Variant;

typedef struct Schedule
{
	const Variant *variant;
	int share;
	int batch;
	int64_t period; /* between two claims */
	int64_t now;
	uint64_t claims;
	int nrows;
	Row rows[ROWS];
	int nwaiting[LEVELS];
	Row *waiting[LEVELS][ROWS];
	PawsFlowLevel levels[LEVELS];
	PawsFlowEntry set[LEVELS][PAWS_FLOW_WAYS];
	int64_t finish[LEVELS][FLOWS + 1]; /* the model's */
	int nguaranteed;
	int64_t guaranteed_at[CLAIMS];
} Schedule;

/* What was found wrong; and, the last two, how often what is to be tested came up. */
typedef struct Findings
{
	int64_t late;      /* waited longer than proved */
	int64_t ahead;     /* a flow ahead of another one by more than a unit */
	int64_t overtaken; /* by more rows of a flow than proved */
	int64_t ranks;     /* other than the model's */
	int64_t wasted;    /* guaranteed claims that passed over what was late */
	int64_t unserved;
	int64_t aged; /* late, and served by a guaranteed claim while something more urgent waited */
	int64_t retried;
} Findings;

static uint64_t seed = 1;

static int
any_of(int count)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (int) ((seed >> 33) % (uint64_t) count);
}

static bool
before(const Row *a, const Row *b)
{
	return a->rank != b->rank ? a->rank < b->rank : a->id < b->id;
}

static Row *
first_ready(const Schedule *s, int level)
{
	Row *first = NULL;

	for (int i = 0; i < s->nwaiting[level]; i++)
	{
		Row *row = s->waiting[level][i];

		if (row->ready_at <= s->now && (first == NULL || before(row, first)))
			first = row;
	}
	return first;
}

/* By the book: what the flow had last, or where the level is. */
static int64_t
model_rank(Schedule *s, int level, uint64_t flow)
{
	int64_t *finish = &s->finish[level][flow];
	int64_t rank = *finish > s->levels[level].served ? *finish : s->levels[level].served;

	*finish = rank + 1;
	return rank;
}

static void
put(Schedule *s, Findings *findings, int level, uint64_t flow)
{
	Row *row = &s->rows[s->nrows];
	bool displaced = false;
	int64_t target = (5 + any_of(12) * any_of(12)) * MS;

	*row = (Row){.level = level, .id = s->nrows, .flow = flow, .put_at = s->now, .target = target};
	row->due_at = s->now + target;
	row->served_at = INT64_MAX;
	row->virtual_time = s->levels[level].served;
	row->rank = s->levels[level].end;
	if (!s->variant->without_turns)
	{
		row->rank = paws_flow_rule_rank(s->levels, s->set[level], (uint32_t) level, flow, 1, &displaced);
		findings->ranks += row->rank != model_rank(s, level, flow) || displaced;
	}
	paws_flow_rule_put(&s->levels[level], row->rank + 1);
	s->waiting[level][s->nwaiting[level]++] = row;
	s->nrows++;
}

static void
describe(Schedule *s, PawsRuleLevel rule[LEVELS])
{
	memset(rule, 0, LEVELS * sizeof(PawsRuleLevel));
	for (int level = 1; level < LEVELS; level++)
	{
		Row *head = first_ready(s, level);
		int64_t age = paws_flow_rule_seen(&s->levels[level], head ? head->rank : PAWS_FLOW_NONE, s->now);

		if (head)
			rule[level] = (PawsRuleLevel){.waiting = true,
										  .due_at = head->due_at,
										  .target = head->target,
										  .age = s->variant->without_age ? 0 : age};
		for (int i = 0; i < s->nwaiting[level]; i++)
			if (s->waiting[level][i]->age < age)
				s->waiting[level][i]->age = age;
	}
}

/* Or it fails, and keeps its place. */
static void
serve(Schedule *s, Findings *findings, Row *row)
{
	Row **waiting = s->waiting[row->level];

	paws_flow_rule_served(&s->levels[row->level], row->rank);
	if (row->failures < 3 && any_of(16) == 0)
	{
		row->failures++;
		row->ready_at = s->now + (1 + any_of(10)) * s->period;
		findings->retried++;
		return;
	}
	row->served_at = s->now;
	for (int i = 0; i < s->nwaiting[row->level]; i++)
		if (waiting[i] == row)
			waiting[i] = waiting[--s->nwaiting[row->level]];
}

static bool
something_higher(const Schedule *s, int level)
{
	for (int higher = level + 1; higher < LEVELS; higher++)
		if (first_ready(s, higher))
			return true;
	return false;
}

static bool
any_head_late(const Schedule *s)
{
	for (int level = 1; level < LEVELS; level++)
	{
		Row *head = first_ready(s, level);

		if (head && head->due_at < s->now)
			return true;
	}
	return false;
}

/* As queue/claim.c picks. */
static void
claim(Schedule *s, Findings *findings)
{
	bool guaranteed = paws_rule_guaranteed(++s->claims, s->share);
	PawsRuleLevel rule[LEVELS];
	int taken = 0;

	if (guaranteed)
		s->guaranteed_at[s->nguaranteed++] = s->now;
	describe(s, rule);
	while (taken < s->batch)
	{
		int level = s->variant->next(rule, s->now, guaranteed);
		Row *row;

		if (level == 0 && !guaranteed)
			break;
		findings->wasted += level == 0 && any_head_late(s);
		for (; level != 0 && taken < s->batch && (row = first_ready(s, level)) != NULL; taken++)
		{
			findings->aged += guaranteed && row->due_at < s->now && something_higher(s, level);
			serve(s, findings, row);
		}
		rule[level].waiting = false;
		guaranteed = false;
	}
}

/* Above the ranks of what was put at the level by then. */
static int64_t
end_of_ranks(const Schedule *s, int level, int64_t by)
{
	int64_t end = 0;

	for (int i = 0; i < s->nrows; i++)
		if (s->rows[i].level == level && s->rows[i].put_at <= by && s->rows[i].rank >= end)
			end = s->rows[i].rank + 1;
	return end;
}

/* Theorem 3: guaranteed claims that can go to others, or to what comes before x, from then until x was
 * served. */
static int64_t
claims_ahead(const Schedule *s, const Row *x, int64_t from)
{
	int64_t claims = 0;

	for (int level = 1; level < LEVELS; level++)
	{
		int64_t end = end_of_ranks(s, level, from);
		int64_t count = 0;

		for (int i = 0; i < s->nrows; i++)
		{
			const Row *row = &s->rows[i];
			bool ahead = level == x->level ? row == x || before(row, x) : row->rank < end;

			if (row->level != level || row->put_at > x->served_at || row->served_at < from || !ahead)
				continue;
			count++;
			claims += row->failures; /* each may break up a batch */
		}
		claims += (count + s->batch - 1) / s->batch;
	}
	return claims;
}

static void
check_wait(const Schedule *s, const Row *x, Findings *findings)
{
	int64_t every = s->share < 100 ? 100 / s->share : 1;
	int64_t apart = x->age / 3 > PAWS_FLOW_MILESTONE_US ? x->age / 3 : PAWS_FLOW_MILESTONE_US;
	int64_t from = (x->ready_at > x->put_at ? x->ready_at : x->put_at) + apart + s->period;
	int64_t longest = 0;
	int64_t claims = 0;
	int64_t ahead;

	for (int i = 0; i < s->nrows; i++)
		if (s->rows[i].level == x->level && s->rows[i].target > longest)
			longest = s->rows[i].target;
	from += longest;
	if (x->served_at <= from)
		return;
	for (int i = 0; i < s->nguaranteed; i++)
		claims += s->guaranteed_at[i] > from && s->guaranteed_at[i] <= x->served_at;
	ahead = claims_ahead(s, x, from);
	findings->late += claims > ahead || x->served_at - from > (ahead + 1) * every * s->period;
}

/* Theorem 1: of each other flow, rows that were put after x and served before it. */
static void
check_overtaken(const Schedule *s, const Row *x, Findings *findings)
{
	int64_t count[FLOWS + 1] = {0};

	if (x->failures > 0)
		return;
	for (int i = 0; i < s->nrows; i++)
		if (s->rows[i].level == x->level && s->rows[i].id > x->id && s->rows[i].served_at < x->served_at)
			count[s->rows[i].flow]++;
	for (uint64_t flow = 1; flow <= FLOWS; flow++)
		findings->overtaken += flow != x->flow && count[flow] > x->rank - x->virtual_time;
}

/* Theorem 1: the first rows of all flows at a level are within one unit. */
static void
check_turns(const Schedule *s, Findings *findings)
{
	for (int level = 1; level < LEVELS; level++)
	{
		int64_t first[FLOWS + 1];
		int64_t lowest = INT64_MAX;
		int64_t highest = INT64_MIN;

		for (int flow = 1; flow <= FLOWS; flow++)
			first[flow] = INT64_MAX;
		for (int i = 0; i < s->nwaiting[level]; i++)
		{
			const Row *row = s->waiting[level][i];

			if (row->failures == 0 && row->rank < first[row->flow])
				first[row->flow] = row->rank;
		}
		for (int flow = 1; flow <= FLOWS; flow++)
			if (first[flow] != INT64_MAX)
			{
				lowest = first[flow] < lowest ? first[flow] : lowest;
				highest = first[flow] > highest ? first[flow] : highest;
			}
		findings->ahead += highest != INT64_MIN && highest - lowest > 1;
	}
}

static void
arrive(Schedule *s, Findings *findings, const int *rates, int flows)
{
	for (int level = 1; level < LEVELS; level++)
		for (int n = rates[level] / 100 + (any_of(100) < rates[level] % 100); n > 0; n--)
		{
			uint64_t flow = (uint64_t) (1 + any_of(flows));

			/* now and then one puts many */
			for (int count = any_of(15) == 0 ? 1 + any_of(8) : 1; count > 0 && s->nrows < ROWS; count--)
				put(s, findings, level, flow);
		}
}

static bool
something_waits(const Schedule *s)
{
	for (int level = 1; level < LEVELS; level++)
		if (s->nwaiting[level] > 0)
			return true;
	return false;
}

static void
run_schedule(Schedule *s, const Variant *variant, Findings *findings)
{
	int rates[LEVELS] = {0};
	int flows = 1 + any_of(FLOWS);

	memset(s, 0, sizeof(*s));
	s->variant = variant;
	s->share = 1 + any_of(any_of(3) ? 50 : 100);
	s->batch = 1 + any_of(4);
	s->period = (20 + any_of(200)) * MS;
	for (int i = any_of(4); i >= 0; i--)
		rates[1 + any_of(LEVELS - 1)] += any_of(100);
	/* every other time something urgent takes all that strict claims give */
	if (any_of(2))
		rates[LEVELS - 1] = 100 * s->batch;
	for (int step = 0; step < STEPS || (something_waits(s) && step < CLAIMS); step++)
	{
		if (step < STEPS)
			arrive(s, findings, rates, flows);
		claim(s, findings);
		check_turns(s, findings);
		s->now += s->period;
	}
	findings->unserved += something_waits(s);
	for (int i = 0; i < s->nrows; i++)
	{
		check_wait(s, &s->rows[i], findings);
		check_overtaken(s, &s->rows[i], findings);
	}
}

static Findings
run_all(const Variant *variant, int schedules)
{
	static Schedule schedule;
	Findings findings = {0};

	seed = 20251122;
	for (int i = 0; i < schedules; i++)
		run_schedule(&schedule, variant, &findings);
	printf(
		"# %s: %d schedules, late %d, ahead %d, overtaken %d, ranks %d, wasted %d, unserved %d; aged %d, retried %d\n",
		variant->name, schedules, (int) findings.late, (int) findings.ahead, (int) findings.overtaken,
		(int) findings.ranks, (int) findings.wasted, (int) findings.unserved, (int) findings.aged,
		(int) findings.retried);
	return findings;
}

static int
strict_alone(const PawsRuleLevel levels[LEVELS], int64_t now, bool guaranteed)
{
	return guaranteed ? 0 : paws_rule_next(levels, now, false);
}

/* The highest one that is late, not the one that is so by most. */
static int
highest_late(const PawsRuleLevel levels[LEVELS], int64_t now, bool guaranteed)
{
	if (!guaranteed)
		return paws_rule_next(levels, now, false);
	for (int level = LEVELS - 1; level > 0; level--)
		if (levels[level].waiting && paws_rule_lateness(&levels[level], now) > 0)
			return level;
	return 0;
}

static void
test_properties(void)
{
	static const Variant real = {"the rule", paws_rule_next, false, false};
	Findings found = run_all(&real, SCHEDULES);

	tap_ok(found.late == 0 && found.unserved == 0, "no row waits longer than proved, and none for ever");
	tap_ok(found.ahead == 0, "no flow is ahead of another one that waits by more than a unit");
	tap_ok(found.overtaken == 0, "no row is overtaken by more rows of a flow than proved");
	tap_ok(found.ranks == 0, "ranks are those of the model");
	tap_ok(found.wasted == 0, "no guaranteed claim passes over what is late");
	tap_ok(found.aged > SCHEDULES && found.retried > SCHEDULES,
		   "aged work was served before more urgent work, all the time");
}

static void
test_broken_rules(void)
{
	static const Variant strict = {"strict alone", strict_alone, false, false};
	static const Variant highest = {"the highest late level", highest_late, false, false};
	static const Variant ageless = {"heads alone", paws_rule_next, true, false};
	static const Variant arrival = {"order of arrival", paws_rule_next, false, true};
	Findings found = run_all(&strict, BROKEN);

	tap_ok(found.late > 0 && found.wasted > 0 && found.aged == 0,
		   "without the guaranteed share rows wait longer than proved");
	tap_ok(run_all(&highest, BROKEN).late > 0, "so they do if it goes to the highest of the late levels");
	tap_ok(run_all(&ageless, BROKEN).late > 0, "and if only the heads of levels are looked at");
	tap_ok(run_all(&arrival, BROKEN).ahead > 0, "in the order of arrival a flow gets ahead of another one");
}

/* An endless stream of newcomers, each a flow of its own: what has had its turn waits for 256 of them at
 * most. */
static void
test_newcomers(void)
{
	PawsFlowLevel levels[2] = {0};
	PawsFlowEntry sets[64][PAWS_FLOW_WAYS];
	bool displaced = false;
	int64_t second;
	int served = 0;

	memset(sets, 0, sizeof(sets));
	(void) paws_flow_rule_rank(levels, sets[0], 1, 1, 1, &displaced);
	second = paws_flow_rule_rank(levels, sets[0], 1, 1, 1, &displaced);
	for (uint64_t flow = 2; flow < 100000; flow++)
	{
		int64_t rank = paws_flow_rule_rank(levels, sets[flow % 64], 1, flow, 1, &displaced);

		served += rank <= second;
	}
	tap_ok(second == 1 && served <= 2 * PAWS_FLOW_TURN,
		   "100,000 newcomers do not hold up what has had its turn");
	(void) paws_flow_rule_rank(levels, sets[0], 1, 0, 1000, &displaced);
	tap_ok(paws_flow_rule_rank(levels, sets[0], 1, 0, 1, &displaced) > second, "nor do rows without a flow");
}

static void
test_table(void)
{
	PawsFlowLevel levels[2] = {0};
	PawsFlowEntry set[PAWS_FLOW_WAYS] = {0};
	bool displaced = false;

	for (uint64_t flow = 1; flow <= PAWS_FLOW_WAYS; flow++)
		(void) paws_flow_rule_rank(levels, set, 1, flow, flow == 7 ? 1 : 100, &displaced);
	tap_ok(!displaced, "a set takes as many flows as it has places");
	tap_ok(paws_flow_rule_rank(levels, set, 1, 100, 1, &displaced) == 0 && displaced,
		   "one more takes the place of the one that has had least");
	tap_ok(paws_flow_rule_rank(levels, set, 1, 3, 1, &displaced) == 100, "the others are remembered");
	paws_flow_rule_return(set, 1, 3, 101);
	tap_ok(paws_flow_rule_rank(levels, set, 1, 3, 1, &displaced) == 0, "what is not put is given back");
	paws_flow_rule_served(&levels[1], 100);
	displaced = false;
	tap_ok(paws_flow_rule_rank(levels, set, 1, 200, 1, &displaced) == 100 && !displaced,
		   "what was served up to its finish is as good as none");
	paws_flow_rule_start(&levels[1], 5000, 6000, 0);
	tap_ok(paws_flow_rule_rank(levels, set, 1, 201, 1, &displaced) == 5000,
		   "after a start a level goes on at its head");
}

static void
test_ages(void)
{
	PawsFlowLevel level = {0};

	tap_ok(paws_flow_rule_seen(&level, PAWS_FLOW_NONE, 1000000 * MS) == 0, "an empty level has no age");
	paws_flow_rule_put(&level, 10);
	tap_ok(paws_flow_rule_seen(&level, 0, 1000000 * MS) == 0, "it begins when something is seen");
	for (int i = 1; i <= 1000; i++)
	{
		paws_flow_rule_put(&level, 10 + i);
		(void) paws_flow_rule_seen(&level, 9, (1000000 + i * 100) * MS);
	}
	tap_ok(paws_flow_rule_seen(&level, 9, 1100000 * MS) == 100000 * MS,
		   "and goes on while what was there may wait");
	tap_ok(paws_flow_rule_seen(&level, 10, 1100000 * MS) >= 70000 * MS,
		   "what was put later is younger, but not by much");
	paws_flow_rule_trim(&level, 500, 1100001 * MS);
	tap_ok(paws_flow_rule_seen(&level, 501, 1100001 * MS) == 0,
		   "what is gone without being served is not waited for");
}

static void
test_rule(void)
{
	PawsRuleLevel levels[LEVELS] = {0};
	int guaranteed = 0;

	tap_ok(paws_rule_next(levels, 0, false) == 0 && paws_rule_next(levels, 0, true) == 0,
		   "nothing waits, nothing is served");
	levels[3] = (PawsRuleLevel){.waiting = true, .due_at = 10};
	levels[5] = (PawsRuleLevel){.waiting = true, .due_at = 20};
	tap_ok(paws_rule_next(levels, 5, false) == 5 && paws_rule_next(levels, 5, true) == 0,
		   "the higher level first, none is late");
	tap_ok(paws_rule_next(levels, 15, true) == 3 && paws_rule_next(levels, 25, true) == 3,
		   "the one that is late by most");
	levels[3].due_at = 20;
	tap_ok(paws_rule_next(levels, 25, true) == 5, "of two the higher one");
	levels[5].paused = true;
	tap_ok(paws_rule_next(levels, 25, true) == 3 && paws_rule_next(levels, 5, false) == 3,
		   "a paused one is left out");
	levels[3].paused = true;
	tap_ok(paws_rule_next(levels, 25, true) == 0 && paws_rule_next(levels, 25, false) == 0, "so are all");
	for (uint64_t n = 1; n <= 1000; n++)
		guaranteed += paws_rule_guaranteed(n, 10);
	tap_ok(guaranteed == 100 && paws_rule_guaranteed(1, 100) && !paws_rule_guaranteed(1, 50),
		   "a share of 10 % is each tenth claim");
}

void
test_scheduling(void)
{
	test_rule();
	test_newcomers();
	test_table();
	test_ages();
	test_properties();
	test_broken_rules();
}
