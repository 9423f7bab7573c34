/*
 * care/care.h - the ordinary lane: entitlements, applying what the queue hands out, expiry.
 *
 * All functions need SPI connected unless they say otherwise.
 */
#ifndef PAWS_CARE_H
#define PAWS_CARE_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "guard/codes.h"
#include "queue/queue.h"
#include "store/store.h"

/* The lane's documents, feed and receipts. */
extern PawsStore paws_care_store;

/* The tier a subject is served as now: what was set, until it ends; trial for one that nothing was set for.
 * Without SPI. */
extern PawsTier paws_care_tier(int64 subject_no);

/* The receipts of a device's operations, into those whose op_id is set: outcome 0 stays where there is none.
 * Without SPI. */
extern void paws_care_receipts(int64 device_no, PawsReceipt *receipts, int count);

/* Removes the entitlement of a subject that is forgotten. */
extern void paws_care_forget(int64 subject_no);

/* Sets the tier, until a time or DT_NOEND. An end to come is rounded up to a whole hour, so that nobody loses
 * what was promised; what has ended stays so. */
extern void paws_care_set_entitlement(int64 subject_no, PawsTier tier, TimestampTz until);

/* What became of an operation. */
typedef enum PawsApplied
{
	PAWS_APPLIED_DONE,    /* has a receipt now; to be removed from the queue */
	PAWS_APPLIED_LATER,   /* its subject is busy or an earlier operation waits: leave it in the queue */
	PAWS_APPLIED_REPEATED /* had its receipt before; to be removed as well */
} PawsApplied;

/*
 * Applies a batch in its order; refused: write receipts that reject them with this reason instead. Wakes the
 * subjects' waiters at commit. Fills in applied[i]; returns how many are done.
 */
extern int paws_care_apply(int slot, const PawsOperation *operations, int count, PawsReason refused,
						   PawsApplied *applied);

/*
 * Applies what one push brings, all of one subject, if nothing in the queue is to be before it: fills in
 * applied[i], and returns how many are done. What is left is to be queued. Waits for nobody. An error has the
 * pushes of the next seconds queued, so that whoever repeats the call gets it through.
 */
extern int paws_care_apply_at_once(int slot, PawsOperation *operations, int count, PawsApplied *applied);

/* Called by the scheduler of the database in each turn once it has counted what a start left: until it ends,
 * pushes may apply at once. Without SPI. */
extern void paws_care_serve(int slot);

extern void paws_care_init(void);

/* One slice of the walk that expires feed entries and tombstones, of up to `subjects` (at most
 * PAWS_CARE_WALK_MAX) subjects; moves `walk`, the last subject looked at, along. True at the end. */
#define PAWS_CARE_WALK_MAX 200

extern bool paws_care_expire(int64 *walk, int subjects);

#endif
