/*
 * queue/admission.h - how much a subject may push: operations and bytes per second, by tier.
 *
 * The generic cell rate algorithm (ITU-T I.371) in shared memory: for each subject two theoretical arrival
 * times on the monotonic clock. A subject that has been quiet long enough needs no entry. If there is no room
 * for an entry the operation is let through and counted: a limiter must never be why something is not served.
 */
#ifndef PAWS_QUEUE_ADMISSION_H
#define PAWS_QUEUE_ADMISSION_H

#include "postgres.h"
#include "queue/policy.h"

extern void paws_admission_init(void);

/*
 * Asks for `count` operations of the given sizes (bytes), in order; sets admitted[i], and retry_after[i] in
 * microseconds where refused. After the first refusal the rest is refused too, so that nothing overtakes an
 * earlier change. What is admitted is taken from the subject's allowance even if the transaction aborts
 * later.
 */
extern void paws_admission_ask(int slot, int64 subject_no, const PawsTierPolicy *limits, const int64 *sizes,
							   int count, bool *admitted, int64 *retry_after);

/* Operations that were let through for want of room, and those refused, since the server started. */
extern void paws_admission_counts(int slot, uint64 *refused, uint64 *untracked);

#endif
