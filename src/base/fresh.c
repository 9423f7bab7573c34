/*
 * base/fresh.c - counters of changes to subjects.
 *
 * A change raises the counter of all first and that of its group then. Who reads notes the counter of all
 * before its snapshot, and afterwards the group's and once more that of all. If it met the change's counter
 * of the group already raised, then that of all had moved; if not, it will find the group's moved. So nobody
 * keeps what is older than a commit that it did not see.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "base/commit.h"
#include "base/database.h"
#include "base/fresh.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "base/spi.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "port/atomics.h"

#define GROUPS     1024
#define GROUP_BITS 64

typedef struct PawsGroups
{
	pg_atomic_uint64 all;
	pg_atomic_uint64 group[GROUPS];
} PawsGroups;

/* Which groups a transaction changed. */
typedef struct Changed
{
	uint64 bits[GROUPS / GROUP_BITS];
} Changed;

static PawsGroups *shared = NULL; /* one for each slot of databases */

/* The last transaction of this process that changed a subject. */
static FullTransactionId changed_in;

static Size
size(void)
{
	return mul_size(paws_max_databases, sizeof(PawsGroups));
}

static void
attach(void *memory, bool found)
{
	shared = memory;
	for (int slot = 0; !found && slot < paws_max_databases; slot++)
	{
		pg_atomic_init_u64(&shared[slot].all, 1);
		for (int i = 0; i < GROUPS; i++)
			pg_atomic_init_u64(&shared[slot].group[i], 0);
	}
}

void
paws_fresh_init(void)
{
	static const PawsSharedPart part = {"paws_sync changes of subjects", size, attach, NULL};

	paws_shmem_offer(&part);
}

static uint32
group_of(int64 subject_no)
{
	return murmurhash32((uint32) subject_no ^ (uint32) ((uint64) subject_no >> 32)) % GROUPS;
}

static bool
changed_in_this_transaction(void)
{
	return FullTransactionIdIsValid(changed_in) &&
		   FullTransactionIdEquals(changed_in, GetTopFullTransactionIdIfAny());
}

uint64
paws_fresh_begin(int slot)
{
	uint64 begun;

	if (IsolationUsesXactSnapshot() || changed_in_this_transaction() || RecoveryInProgress())
		return 0;
	begun = pg_atomic_read_u64(&shared[slot].all);
	pg_read_barrier();
	return begun;
}

bool
paws_fresh_note(int slot, uint64 begun, int64 subject_no, PawsFresh *fresh)
{
	fresh->identity = paws_extension_identity();
	fresh->group = group_of(subject_no);
	fresh->version = pg_atomic_read_u64(&shared[slot].group[fresh->group]);
	pg_read_barrier();
	if (begun != 0 && pg_atomic_read_u64(&shared[slot].all) == begun)
		return true;
	memset(fresh, 0, sizeof(*fresh));
	return false;
}

bool
paws_fresh_is(int slot, const PawsFresh *fresh)
{
	return OidIsValid(fresh->identity) && fresh->identity == paws_extension_identity() &&
		   pg_atomic_read_u64(&shared[slot].group[fresh->group]) == fresh->version;
}

/* Who has no slot yet at this moment, and takes one later, reads what is committed. */
static void
tell(void *arg)
{
	const Changed *changed = arg;
	int slot = paws_database_find(MyDatabaseId);

	if (slot < 0)
		return;
	pg_atomic_fetch_add_u64(&shared[slot].all, 1);
	for (int i = 0; i < GROUPS; i++)
		if (changed->bits[i / GROUP_BITS] & (UINT64CONST(1) << i % GROUP_BITS))
			pg_atomic_fetch_add_u64(&shared[slot].group[i], 1);
}

void
paws_fresh_changed(int64 subject_no)
{
	Changed *changed;

	if (!paws_shmem_ready())
		return;
	changed = paws_at_commit_find(tell);
	if (changed == NULL)
		changed = paws_at_commit(tell, sizeof(Changed));
	changed_in = GetTopFullTransactionId();
	if (subject_no == PAWS_FRESH_ALL)
		memset(changed->bits, 0xff, sizeof(changed->bits));
	else
		changed->bits[group_of(subject_no) / GROUP_BITS] |= UINT64CONST(1)
															<< group_of(subject_no) % GROUP_BITS;
}
