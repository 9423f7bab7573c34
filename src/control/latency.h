/*
 * control/latency.h - how long operations took, by class and tier, against what was owed.
 *
 * Measured from the call that pushed an operation to the commit that made it visible, so it includes the
 * caller's own transaction and waiting in the queue. The crisis lane looks up no tier, so its rows stand for
 * all tiers together.
 */
#ifndef PAWS_CONTROL_LATENCY_H
#define PAWS_CONTROL_LATENCY_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "guard/codes.h"

/* In place of a tier where none was looked up. */
#define PAWS_TIER_ALL 0

extern void paws_latency_init(void);

/* Records now; the work is committed. `tier` may be PAWS_TIER_ALL. */
extern void paws_latency_record(int slot, PawsClass klass, int tier, int64 microseconds, int32 target_ms);

/* Records when the current transaction commits, from `since` on. */
extern void paws_latency_at_commit(int slot, PawsClass klass, int tier, TimestampTz since, int32 target_ms);

/* Starts counting anew. */
extern void paws_latency_reset(int slot);

#endif
