/*
 * queue/rule.h - which level is served next.
 *
 * Strict by level, but every so often a claim is *guaranteed*: it goes to the level that has missed its
 * target by most. That bounds every wait (queue/SCHEDULING.md). Paused levels are left out of both. The pool
 * asks for operations, a claim of jobs for jobs.
 *
 * Pure C, never calls the server, is linked into the unit tests. All times in microseconds.
 */
#ifndef PAWS_QUEUE_RULE_H
#define PAWS_QUEUE_RULE_H

#include <stdbool.h>
#include <stdint.h>

/* Levels 1 to 8; index 0 is never used. */
#define PAWS_RULE_LEVELS 9

/* What is known of a level when a claim begins. */
typedef struct PawsRuleLevel
{
	bool waiting;   /* something waits that may be served now */
	bool paused;    /* served by nobody */
	int64_t due_at; /* when the first in line misses its target */
	int64_t target; /* the target of the first in line */
	int64_t age;    /* of what waits behind it (paws_flow_seen); 0 where that is not known */
} PawsRuleLevel;

/*
 * True if the nth claim of a worker (from 1) is a guaranteed one: of each 100 / share claims in a row exactly
 * one is. `share` in percent, 1 to 100.
 */
extern bool paws_rule_guaranteed(uint64_t nth, int share);

/*
 * By how much a level has missed its target: the first in line, or older ones behind it, before which
 * newcomers are ranked. Not above 0 if it has not.
 */
extern int64_t paws_rule_lateness(const PawsRuleLevel *level, int64_t now);

/*
 * The level to serve next, 0 for none: with `guaranteed` the one that is late by most (the higher one of
 * two), 0 if none is; else the highest. A claim that has room left sets `waiting` of the level to false and
 * asks again.
 */
extern int paws_rule_next(const PawsRuleLevel levels[PAWS_RULE_LEVELS], int64_t now, bool guaranteed);

#endif
