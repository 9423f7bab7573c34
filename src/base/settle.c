/*
 * base/settle.c - lists of running transactions, and how many are left of them.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/settle.h"
#include "replication/slot.h"
#include "replication/walsender_private.h"
#include "storage/procarray.h"
#include "storage/sinvaladt.h"
#include "utils/memutils.h"

/* Neither vacuum nor analyze reads anything of ours by the meaning it has for us. */
#define NOT_WAITED_FOR (PROC_IS_AUTOVACUUM | PROC_IN_VACUUM | PROC_IN_SAFE_IC)

static VirtualTransactionId *
list_running(int *count)
{
	return GetCurrentVirtualXIDs(InvalidTransactionId, false, false, NOT_WAITED_FOR, count);
}

/* A transaction without number and snapshot has neither written nor read; what it reads next is new. */
static bool
has_begun(const VirtualTransactionId *transaction)
{
	PGPROC *proc;

	if (VirtualTransactionIdIsRecoveredPreparedXact(*transaction))
		return true;
	proc = PAWS_PROC_OF(transaction);

	/* another one by now: this one is over, or prepared */
	if (proc == NULL || PAWS_LOCAL_XID(proc) != transaction->localTransactionId)
		return true;
	return TransactionIdIsValid(proc->xid) || TransactionIdIsValid(proc->xmin);
}

static void
begin(PawsSettling *settling, uint64 change)
{
	int count;
	VirtualTransactionId *running = list_running(&count);

	settling->change = 0;
	settling->count = 0;
	if (settling->running != NULL)
		pfree(settling->running);
	settling->running = MemoryContextAlloc(TopMemoryContext, Max(count, 1) * sizeof(VirtualTransactionId));
	for (int i = 0; i < count; i++)
		if (has_begun(&running[i]))
			settling->running[settling->count++] = running[i];
	settling->lsn = GetXLogInsertRecPtr();
	settling->change = change;
}

/* Keeps those of the list that still run. */
static void
look_again(PawsSettling *settling)
{
	int count;
	VirtualTransactionId *running = list_running(&count);
	int left = 0;

	for (int i = 0; i < settling->count; i++)
		for (int j = 0; j < count; j++)
			if (VirtualTransactionIdEquals(settling->running[i], running[j]))
			{
				settling->running[left++] = settling->running[i];
				break;
			}
	settling->count = left;
	pfree(running);
}

bool
paws_settled(PawsSettling *settling, FullTransactionId change)
{
	if (settling->change != U64FromFullTransactionId(change))
		begin(settling, U64FromFullTransactionId(change));
	else if (settling->count > 0)
		look_again(settling);
	return settling->count == 0;
}

/* True if the sender serves a standby (or an archive that is fed like one) which has not flushed so far. */
static bool
is_behind(WalSnd *sender, XLogRecPtr lsn, pid_t *pid)
{
	bool behind;

	SpinLockAcquire(&sender->mutex);
	*pid = sender->pid;
	behind = sender->pid != 0 &&
			 (sender->state == WALSNDSTATE_CATCHUP || sender->state == WALSNDSTATE_STREAMING) &&
			 sender->flush < lsn;
	SpinLockRelease(&sender->mutex);
	return behind;
}

/* Without a slot a standby's feedback is the horizon of its sender. */
static bool
senders_settled(TransactionId change, XLogRecPtr lsn)
{
	bool settled = true;

	for (int i = 0; i < max_wal_senders && settled; i++)
	{
		WalSnd *sender = &WalSndCtl->walsnds[i];
		PGPROC *proc;
		TransactionId xmin;
		pid_t pid;
		bool behind = is_behind(sender, lsn, &pid);

		proc = pid == 0 ? NULL : BackendPidGetProc(pid);
		if (proc == NULL || OidIsValid(proc->databaseId)) /* logical: no standby */
			continue;
		xmin = proc->xmin;
		settled = !behind && (!TransactionIdIsValid(xmin) || TransactionIdFollows(xmin, change));
	}
	return settled;
}

/* A slot that nobody is connected to may keep its horizon for ever. */
static bool
slots_settled(TransactionId change)
{
	bool settled = true;

	LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
	for (int i = 0; i < max_replication_slots && settled; i++)
	{
		ReplicationSlot *slot = &ReplicationSlotCtl->replication_slots[i];
		TransactionId xmin = InvalidTransactionId;

		if (!slot->in_use || !SlotIsPhysical(slot))
			continue;
		SpinLockAcquire(&slot->mutex);
		if (slot->active_pid != 0)
			xmin = slot->effective_xmin;
		SpinLockRelease(&slot->mutex);
		settled = !TransactionIdIsValid(xmin) || TransactionIdFollows(xmin, change);
	}
	LWLockRelease(ReplicationSlotControlLock);
	return settled;
}

bool
paws_standbys_settled(const PawsSettling *settling, FullTransactionId change)
{
	TransactionId xid = XidFromFullTransactionId(change);

	return senders_settled(xid, settling->lsn) && slots_settled(xid);
}
