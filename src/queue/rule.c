/*
 * queue/rule.c - which level is served next.
 */
#include "queue/rule.h"

bool
paws_rule_guaranteed(uint64_t nth, int share)
{
	uint64_t every = share > 0 && share < 100 ? 100 / (uint64_t) share : 1;

	return nth % every == 0;
}

int64_t
paws_rule_lateness(const PawsRuleLevel *level, int64_t now)
{
	int64_t by_head = now - level->due_at;
	int64_t by_age = level->age - level->target;

	return by_head > by_age ? by_head : by_age;
}

static int
latest(const PawsRuleLevel levels[PAWS_RULE_LEVELS], int64_t now)
{
	int64_t most = 0;
	int found = 0;

	for (int level = PAWS_RULE_LEVELS - 1; level > 0; level--)
	{
		int64_t lateness;

		if (!levels[level].waiting || levels[level].paused)
			continue;
		lateness = paws_rule_lateness(&levels[level], now);
		if (lateness > most)
		{
			most = lateness;
			found = level;
		}
	}
	return found;
}

int
paws_rule_next(const PawsRuleLevel levels[PAWS_RULE_LEVELS], int64_t now, bool guaranteed)
{
	if (guaranteed)
		return latest(levels, now);
	for (int level = PAWS_RULE_LEVELS - 1; level > 0; level--)
		if (levels[level].waiting && !levels[level].paused)
			return level;
	return 0;
}
