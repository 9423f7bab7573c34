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
	uint64 change;  /* the transaction that made the change; 0: none */
	XLogRecPtr lsn; /* where the WAL was when they were listed: behind the change */
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
 * True unless a standby is connected that has not made the change durable, for it may be promoted as it is;
 * or one that feeds back (hot_standby_feedback) and has not replayed it, or has a snapshot of before it. To
 * be called after paws_settled was true for the change. A standby that is not connected is not waited for.
 */
extern bool paws_standbys_settled(const PawsSettling *settling, FullTransactionId change);

#endif
