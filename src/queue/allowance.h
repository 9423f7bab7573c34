/*
 * queue/allowance.h - the table of allowances: sets of a few entries each, found by hash, a lock for each
 * set.
 *
 * An entry whose times are past is as good as none, so nothing has to be swept: it is simply taken over. It
 * names its database by oid and installation, so that what was read from the file belongs to the right one
 * before any database has a slot.
 */
#ifndef PAWS_QUEUE_ALLOWANCE_H
#define PAWS_QUEUE_ALLOWANCE_H

#include "postgres.h"
#include "queue/policy.h"
#include "storage/lwlock.h"

/* What is metered. */
typedef enum PawsMeter
{
	PAWS_METER_OPERATIONS,
	PAWS_METER_PUSHED,
	PAWS_METER_PULLED,
	PAWS_METERS
} PawsMeter;

/* Whose allowance it is. */
typedef struct PawsAllowanceKey
{
	int64 subject_no;
	Oid database;
	Oid identity; /* of the installation; see base/database.h */
	int32 bucket; /* a class with limits of its own, or 0 */
	int32 unused; /* 0 */
} PawsAllowanceKey;

typedef struct PawsAllowance
{
	PawsAllowanceKey key;
	int64 used[PAWS_METERS]; /* theoretical arrival times, ns; in the file: ns until they are past */
	float rate[PAWS_METERS]; /* a second, under the limits that the times are of */
	uint32 stamp;            /* of these limits */
} PawsAllowance;

#define PAWS_ALLOWANCE_WAYS 12

/* A lock and the hashes in one cache line, then the entries. */
typedef struct PawsAllowanceSet
{
	LWLock lock;
	uint32 hash[PAWS_ALLOWANCE_WAYS]; /* 0: never used */
	PawsAllowance entry[PAWS_ALLOWANCE_WAYS];
} PawsAllowanceSet;

/* How many sets there are, for as many subjects as paws_sync.max_subjects_limited says, and their memory. */
extern uint32 paws_allowance_sets(void);
extern Size paws_allowance_size(void);

/* Takes over memory of that size, zeroed and with locks if it is new. */
extern void paws_allowance_attach(void *memory, bool found);

/* A set by its number, and that of a key with the key's hash. */
extern PawsAllowanceSet *paws_allowance_set(uint32 index);
extern PawsAllowanceSet *paws_allowance_set_of(const PawsAllowanceKey *key, uint32 *hash);

/* The entry of a key, made if need be; NULL when all of its set are in use. The caller holds the set's lock
 * exclusively, or is alone. */
extern PawsAllowance *
paws_allowance_find(PawsAllowanceSet *set, uint32 hash, const PawsAllowanceKey *key, int64 now);

/* Drops the entry of a key, if there is one. Takes the set's lock. */
extern void paws_allowance_drop(const PawsAllowanceKey *key);

/* True if nothing is used up. */
extern bool paws_allowance_idle(const PawsAllowance *allowance, int64 now);

/* Brings an entry under limits: what was used up under others counts for as much, and for no more than these
 * allow at once. */
extern void paws_allowance_adapt(PawsAllowance *allowance, const PawsLimits *limits, int64 now);

/* Nanoseconds until one operation with `bytes` fits, at most 0 if it does now; and taking it. */
extern int64
paws_allowance_push_wait(const PawsAllowance *allowance, const PawsLimits *limits, int64 bytes, int64 now);
extern void paws_allowance_push(PawsAllowance *allowance, const PawsLimits *limits, int64 bytes, int64 now);

/* The same for a payload that is pulled: it fits as long as there is anything left. */
extern int64 paws_allowance_pull_wait(const PawsAllowance *allowance, const PawsLimits *limits, int64 now);
extern void paws_allowance_pull(PawsAllowance *allowance, const PawsLimits *limits, int64 bytes, int64 now);

/* The file: read into an empty table when the server starts, and written. Neither fails; the log says what
 * went wrong. `locked`: other processes are at work. */
extern void paws_allowance_load(void);
extern bool paws_allowance_store(bool locked);

#endif
