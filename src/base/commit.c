/*
 * base/commit.c - the lists of actions before and at commit and at abort, kept along savepoints.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/commit.h"
#include "base/settings.h"
#include "replication/syncrep.h"
#include "utils/memutils.h"

typedef struct Entry
{
	struct Entry *next;
	PawsCommitAction action;
	int level; /* nesting level of the (sub)transaction that scheduled it */
	int64 argument[FLEXIBLE_ARRAY_MEMBER];
} Entry;

/* Newest first; they live in TopTransactionContext, so the end of the transaction frees them. */
static Entry *entries = NULL;
static Entry *at_abort = NULL;
static Entry *before = NULL;
static int commit_mode_before = -1;
static bool without_standby = false;

static void
run_and_forget(Entry **list)
{
	Entry *reversed = NULL;

	/* in the order in which they were scheduled */
	while (*list)
	{
		Entry *entry = *list;

		*list = entry->next;
		entry->next = reversed;
		reversed = entry;
	}
	for (; reversed; reversed = reversed->next)
		reversed->action(reversed->argument);
}

/* Those scheduled at a nesting level or deeper, the newest first. */
static void
undo(int level)
{
	while (at_abort && at_abort->level >= level)
	{
		Entry *entry = at_abort;

		at_abort = entry->next;
		entry->action(entry->argument);
	}
}

/* Whether a standby is waited for as well is no part of the variable. */
static void
set_commit_mode(int mode)
{
	synchronous_commit = mode;
	assign_synchronous_commit(mode, NULL);
}

static void
raise_durability(void)
{
	int wanted = entries ? Max(synchronous_commit, SYNCHRONOUS_COMMIT_REMOTE_FLUSH) : synchronous_commit;

	if (without_standby)
		wanted = Min(wanted, SYNCHRONOUS_COMMIT_LOCAL_FLUSH);
	if (synchronous_commit != wanted)
	{
		commit_mode_before = synchronous_commit;
		set_commit_mode(wanted);
	}
}

static void
restore_durability(void)
{
	if (commit_mode_before >= 0)
		set_commit_mode(commit_mode_before);
	commit_mode_before = -1;
	without_standby = false;
}

static void
at_transaction_event(XactEvent event, void *arg)
{
	if (entries == NULL && before == NULL && at_abort == NULL && commit_mode_before < 0 && !without_standby)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			raise_durability();
			run_and_forget(&before);
			break;
		case XACT_EVENT_PRE_PREPARE:
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot PREPARE a transaction that wrote through paws_sync"),
					 errhint("Commit it in one phase; nothing would wake the workers at COMMIT PREPARED.")));
			break;
		case XACT_EVENT_COMMIT:
			restore_durability();
			at_abort = NULL;
			run_and_forget(&entries);
			break;
		case XACT_EVENT_ABORT:
			restore_durability();
			entries = before = NULL;
			undo(0);
			break;
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
			break;
	}
}

/* Newer entries have a level at least as deep, so the ones that a savepoint concerns are at the head of the
 * list. */
static void
at_savepoint_event(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	int level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		while (entries && entries->level >= level)
			entries = entries->next;
		while (before && before->level >= level)
			before = before->next;
		undo(level);
	}
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		for (Entry *entry = before; entry && entry->level >= level; entry = entry->next)
			entry->level = level - 1;
		for (Entry *entry = entries; entry && entry->level >= level; entry = entry->next)
			entry->level = level - 1;
		for (Entry *entry = at_abort; entry && entry->level >= level; entry = entry->next)
			entry->level = level - 1;
	}
}

static void
install(void)
{
	static bool installed = false;

	if (installed)
		return;
	RegisterXactCallback(at_transaction_event, NULL);
	RegisterSubXactCallback(at_savepoint_event, NULL);
	installed = true;
}

static void *
schedule(Entry **list, PawsCommitAction action, Size size)
{
	Entry *entry;

	install();
	entry = MemoryContextAllocZero(TopTransactionContext, add_size(offsetof(Entry, argument), size));
	entry->action = action;
	entry->level = GetCurrentTransactionNestLevel();
	entry->next = *list;
	*list = entry;
	return entry->argument;
}

void
paws_commit_of_crisis(void)
{
	install();
	without_standby = without_standby || !paws_crisis_standby_wait;
}

void *
paws_at_commit(PawsCommitAction action, Size size)
{
	return schedule(&entries, action, size);
}

void *
paws_before_commit(PawsCommitAction action, Size size)
{
	return schedule(&before, action, size);
}

void *
paws_at_abort(PawsCommitAction action, Size size)
{
	return schedule(&at_abort, action, size);
}

void *
paws_at_commit_find(PawsCommitAction action)
{
	int level = GetCurrentTransactionNestLevel();

	for (Entry *entry = entries; entry && entry->level >= level; entry = entry->next)
		if (entry->action == action)
			return entry->argument;
	return NULL;
}
