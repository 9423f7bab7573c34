/*
 * queue/lease_table.h - the table of leases in shared memory: for lease.c and lease_end.c alone.
 *
 * Found by job and by flow. The caller holds the table's lock of the database, exclusively to change
 * anything.
 */
#ifndef PAWS_QUEUE_LEASE_TABLE_H
#define PAWS_QUEUE_LEASE_TABLE_H

#include "queue/lease.h"
#include "storage/lock.h"

typedef struct PawsLeaseEntry
{
	PawsLease lease;
	PawsJobPlace next; /* of those that the flow keeps waiting, the first one */
	int16 next_level;  /* its level; 0: there is none */
	uint8 state;       /* a PawsLeaseState */
	uint8 before;      /* what it was when somebody began to end it; PAWS_LEASE_FREE: it was made for that */
	VirtualTransactionId ender; /* who that is */
	int32 next_by_id;
	int32 next_by_flow; /* or the next free one */
} PawsLeaseEntry;

extern void paws_lease_table_init(void);
extern LWLock *paws_lease_lock(int slot);
extern pg_atomic_uint64 *paws_lease_fence(int slot);

/* A lease is over at `until`, which may be earlier than what is known. Without the lock. */
extern void paws_lease_noted(int slot, int64 until);

/*
 * Flows of which a claim ever passed something over: a place for many, by hash. 0: none; PAWS_KEPT_MANY: more
 * than one, so that all that lead there count as such. Never taken back: that would take a look at all that
 * waits of the flow.
 */
#define PAWS_KEPT_MANY PG_UINT64_MAX

extern uint64 *paws_lease_kept_flow(int slot, uint64 flow);

/* When the first one is over, as far as is known: never later than it is. */
extern pg_atomic_uint64 *paws_lease_earliest(int slot);

extern int paws_lease_room(void); /* entries of a database */
extern PawsLeaseEntry *paws_lease_entry(int slot, int i);

extern PawsLeaseEntry *paws_lease_entry_of(int slot, int64 id);

/* NULL if all are in use. */
extern PawsLeaseEntry *paws_lease_entry_add(int slot, const PawsLease *lease, PawsLeaseState state);
extern void paws_lease_entry_remove(int slot, PawsLeaseEntry *entry);

/* This transaction is the one that ends it; and whether it is. */
extern void paws_lease_entry_mark(PawsLeaseEntry *entry);
extern bool paws_lease_entry_is_mine(const PawsLeaseEntry *entry);

/* How many of a flow there are, up to `max`; *one: one of them. */
extern int paws_lease_entries_of_flow(int slot, int place, uint64 flow, int max, PawsLeaseEntry **one);

extern int64 paws_lease_entries(int slot, int place);

/*
 * The current (sub)transaction took this lease. Prepared before: takes the memory for it, since nothing may
 * fail once the lease is in the table. Both without the lock.
 */
extern void paws_lease_prepare(int slot);
extern void paws_lease_remember(int slot, const PawsLease *lease);

#endif
