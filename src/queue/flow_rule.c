/*
 * queue/flow_rule.c - start-time fair queueing: the arithmetic.
 */
#include "queue/flow_rule.h"

#include <string.h>

static int64_t
larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void
paws_flow_rule_start(PawsFlowLevel *level, int64_t head, int64_t last, int64_t now)
{
	level->served = larger(level->served, head);
	level->end = larger(level->end, last + 1);
	level->milestone[0] = (PawsFlowMilestone){.since = now, .end = level->end};
	level->count = 1;
}

/* By how much a flow is ahead of its level's virtual time; not above 0: as good as none. */
static int64_t
lead(const PawsFlowLevel *levels, const PawsFlowEntry *entry)
{
	return entry->flow == 0 ? 0 : entry->finish - levels[entry->place].served;
}

/* The flow's entry, or the one to take over, as one that has had nothing yet. */
static PawsFlowEntry *
find_entry(const PawsFlowLevel *levels, PawsFlowEntry *set, uint32_t place, uint64_t flow, bool *displaced)
{
	PawsFlowEntry *least = &set[0];

	for (int i = 0; i < PAWS_FLOW_WAYS; i++)
	{
		if (set[i].flow == flow && set[i].place == place)
			return &set[i];
		if (lead(levels, &set[i]) < lead(levels, least))
			least = &set[i];
	}
	if (lead(levels, least) > 0)
		*displaced = true;
	*least = (PawsFlowEntry){.flow = flow, .place = place, .finish = levels[place].served};
	return least;
}

static int64_t
newcomers_rank(PawsFlowLevel *level)
{
	if (level->floor < level->served)
	{
		level->floor = level->served;
		level->newcomers = 0;
	}
	if (level->newcomers >= PAWS_FLOW_TURN)
	{
		level->floor++;
		level->newcomers = 0;
	}
	level->newcomers++;
	return level->floor;
}

int64_t
paws_flow_rule_rank(PawsFlowLevel *levels, PawsFlowEntry set[PAWS_FLOW_WAYS], uint32_t place, uint64_t flow,
					int count, bool *displaced)
{
	PawsFlowLevel *level = &levels[place];
	PawsFlowEntry *entry;
	int64_t rank;

	if (flow == 0)
	{
		rank = newcomers_rank(level);
		level->newcomers += count - 1;
		return rank;
	}
	entry = find_entry(levels, set, place, flow, displaced);
	rank = entry->finish > level->served ? entry->finish : newcomers_rank(level);
	entry->finish = rank + count;
	return rank;
}

void
paws_flow_rule_put(PawsFlowLevel *level, int64_t end)
{
	level->end = larger(level->end, end);
}

void
paws_flow_rule_return(PawsFlowEntry set[PAWS_FLOW_WAYS], uint32_t place, uint64_t flow, int count)
{
	for (int i = 0; i < PAWS_FLOW_WAYS; i++)
		if (set[i].flow == flow && set[i].place == place)
			set[i].finish -= count;
}

void
paws_flow_rule_served(PawsFlowLevel *level, int64_t rank)
{
	level->served = larger(level->served, rank);
}

/* Those that the head has passed go. */
static void
drop_passed(PawsFlowLevel *level, int64_t head)
{
	int passed = 0;

	while (passed < level->count && head >= level->milestone[passed].end)
		passed++;
	level->count -= passed;
	memmove(level->milestone, level->milestone + passed, (size_t) level->count * sizeof(PawsFlowMilestone));
}

/* Every second one goes; the first one stays. */
static void
thin_out(PawsFlowLevel *level)
{
	for (int i = 2; i < level->count; i += 2)
		level->milestone[i / 2] = level->milestone[i];
	level->count = (level->count + 1) / 2;
}

static void
set_milestone(PawsFlowLevel *level, int64_t now)
{
	const PawsFlowMilestone *last = &level->milestone[level->count - 1];
	int64_t apart =
		level->count == 0 ? 0 : larger(PAWS_FLOW_MILESTONE_US, (now - level->milestone[0].since) / 4);

	if (level->count > 0 && (last->end >= level->end || now - last->since < apart))
		return;
	if (level->count == PAWS_FLOW_MILESTONES)
		thin_out(level);
	level->milestone[level->count++] = (PawsFlowMilestone){.since = now, .end = level->end};
}

int64_t
paws_flow_rule_seen(PawsFlowLevel *level, int64_t head, int64_t now)
{
	drop_passed(level, head);
	if (head == PAWS_FLOW_NONE)
		return 0;
	set_milestone(level, now);
	level->served = larger(level->served, head);
	return now - level->milestone[0].since;
}

void
paws_flow_rule_trim(PawsFlowLevel *level, int64_t last, int64_t when)
{
	for (int i = 0; i < level->count; i++)
		if (level->milestone[i].since <= when && level->milestone[i].end > last + 1)
			level->milestone[i].end = last + 1;
}
