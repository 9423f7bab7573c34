/*
 * control/latency.h - how long operations took, by class and tier, against what was owed.
 *
 * Measured from the call that pushed an operation to the commit that made it visible, so it includes the
 * caller's own transaction and waiting in the queue. Of the ordinary lane alone: the crisis lane has
 * histograms of its own.
 */
#ifndef PAWS_CONTROL_LATENCY_H
#define PAWS_CONTROL_LATENCY_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "guard/codes.h"

extern void paws_latency_init(void);

/* Records now; the work is committed. */
extern void paws_latency_record(int slot, PawsClass klass, int tier, int64 microseconds, int32 target_ms);

/* Records when the current transaction commits, from `since` on. */
extern void paws_latency_at_commit(int slot, PawsClass klass, int tier, TimestampTz since, int32 target_ms);

/* Starts counting anew. */
extern void paws_latency_reset(int slot);

#endif
