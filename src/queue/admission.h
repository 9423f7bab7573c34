/*
 * queue/admission.h - how much a subject may push and pull, by tier and class, and the server as a whole.
 *
 * The generic cell rate algorithm (ITU-T I.371) in shared memory: for each subject, and for each class of its
 * that has limits of its own, three theoretical arrival times on the monotonic clock: of operations, of bytes
 * pushed, of bytes pulled. A subject that has been quiet long enough needs no entry. If there is no room for
 * an entry the work is let through and counted: a limiter must never be why something is not served.
 *
 * Exact: from an allowance no more is ever taken than its burst and what came since at its rate, whoever asks
 * at once, but for a payload that is larger than the burst. It is let through when the allowance is full, and
 * paid for afterwards. So is the last payload of a page that is pulled.
 */
#ifndef PAWS_QUEUE_ADMISSION_H
#define PAWS_QUEUE_ADMISSION_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "guard/codes.h"

extern void paws_admission_init(void);

/* One operation, or one payload to be delivered, and the answer. */
typedef struct PawsAsk
{
	PawsClass klass;
	int64 bytes; /* of the payload */
	bool admitted;
	PawsReason reason; /* if it is not: rate or budget */
	int64 retry_after; /* us */
} PawsAsk;

/*
 * Asks for operations to be pushed, in order. After a refusal by the rate what draws on the same allowance is
 * refused too, so that nothing overtakes an earlier change; after one by the budget everything is. What is
 * admitted is taken from the allowance even if the transaction aborts later. Needs SPI connected.
 */
extern void paws_admission_push(int slot, int64 subject_no, PawsTier tier, PawsAsk *asks, int count);

/* Asks the server's budget alone, for work that is nobody's. Returns 0 if it is admitted, else the us after
 * which to ask again. */
extern int64 paws_admission_own(int slot, PawsTier tier, PawsClass klass, int64 bytes);

/* One more was limited without asking, since what came before it in the call was. */
extern void paws_admission_limited(int slot, PawsTier tier, PawsClass klass);

/* Asks for one payload to be pulled. Needs SPI connected. */
extern void paws_admission_pull(int slot, int64 subject_no, PawsTier tier, PawsAsk *ask);

/* What was pulled turned out to have `bytes`, not what was asked for. Needs SPI connected. */
extern void
paws_admission_correct(int slot, int64 subject_no, PawsTier tier, const PawsAsk *ask, int64 bytes);

/* When the current transaction commits, nothing is kept of a subject that is forgotten, nor soon in the file.
 */
extern void paws_admission_forget_at_commit(int slot, int64 subject_no);

/* Of one class and tier in a database. */
typedef struct PawsAdmissionCounts
{
	int64 admitted; /* operations pushed */
	int64 limited;
	int64 untracked; /* operations and payloads that were let through for want of room */
	int64 bytes_in;
	int64 bytes_out;
	int64 pages_cut; /* pulls that ended early */
} PawsAdmissionCounts;

extern void paws_admission_read(int slot, PawsClass klass, PawsTier tier, PawsAdmissionCounts *counts);

/* Since when is counted, and starting anew; allowances stay as they are. */
extern TimestampTz paws_admission_since(int slot);
extern void paws_admission_reset(int slot);

/* The sums over all classes and tiers. */
extern void paws_admission_total(int slot, PawsAdmissionCounts *total);

/* Writes what is used up of allowances to its file, at most every ten seconds and only if somebody asked
 * since. Never fails; the log says once that it could not. By the launcher; without locks that anybody waits
 * for. */
extern void paws_admission_save(void);

#endif
