/*
 * api/answer.h - between the files that carry out a push.
 */
#ifndef PAWS_API_ANSWER_H
#define PAWS_API_ANSWER_H

#include "api/items.h"
#include "crisis/budget.h"
#include "datatype/timestamp.h"
#include "queue/policy.h"

/* One push being carried out. SPI is connected. */
typedef struct PawsPush
{
	int slot;
	TimestampTz started_at;
	PawsCrisisTime time;
	PawsDevice device;
	PawsItem *items;
	int count;
	bool mixed; /* with crisis items, which nothing ordinary is to hold up */
} PawsPush;

/* Applies the crisis items, in the caller's transaction. Returns how many there were. */
extern int paws_push_crisis_items(PawsPush *push);

/* Answers duplicates and limits, and queues the rest. */
extern void paws_push_ordinary_items(PawsPush *push);

/* The same in a subtransaction with a bound on waiting for locks, so that nothing ordinary can harm the
 * crisis items before it. */
extern void paws_push_ordinary_items_guarded(PawsPush *push);

/* Answers limited (keys_unavailable) to what the ordinary lane cannot seal with the keys that are there. */
extern void paws_push_limit_unsealable(PawsPush *push);

/* True if the keys are there that seal an item of the ordinary lane. */
extern bool paws_push_can_seal(const PawsItem *item);

/* Seals an item for its lane; palloc'd. NULL for a deletion. Limits are those of the tier; the crisis lane
 * has none (NULL). */
extern bytea *paws_push_seal(const PawsPush *push, const PawsItem *item, const PawsTierPolicy *limits);

#endif
