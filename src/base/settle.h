/*
 * base/settle.h - waiting until all who were at work at some moment are done.
 *
 * What is changed at a commit is known to every transaction that begins later; those that run already may go
 * on with what was before. Whoever is about to take that away lists them after the commit, and waits until
 * none of them is left. Later ones hold nobody up, nor do other databases, however long they take.
 */
#ifndef PAWS_BASE_SETTLE_H
#define PAWS_BASE_SETTLE_H

#include "postgres.h"
#include "access/transam.h"
#include "storage/lock.h"

/* Who is waited for, in the memory of one process. A new process lists anew. Zeros to begin with. */
typedef struct PawsSettling
{
	uint64 change; /* the transaction that made the change; 0: none */
	int count;
	VirtualTransactionId *running;
} PawsSettling;

/*
 * True once no transaction of this database is left, prepared ones among them, of those that had written or
 * had a snapshot when this was first called for this change. To be called in a transaction that begins after
 * the commit of `change` and reads it from a row.
 */
extern bool paws_settled(PawsSettling *settling, FullTransactionId change);

/*
 * True unless a standby is connected that feeds back (hot_standby_feedback) and has not replayed the change,
 * or has a snapshot of before it.
 */
extern bool paws_standbys_settled(FullTransactionId change);

#endif
