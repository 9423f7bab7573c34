/*
 * queue/raise.c - who is raised, in the table and in shared memory.
 */
#include "postgres.h"

#include "base/commit.h"
#include "base/database.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "base/spi.h"
#include "catalog/pg_type.h"
#include "port/atomics.h"
#include "queue/raise.h"
#include "utils/timestamp.h"

/* The array under PAWS_LOCK_RAISED; the words by themselves. */
typedef struct Entry
{
	int64 subject_no;
	TimestampTz until;
	pg_atomic_uint32 look;                    /* of the last touch; never one that another entry had */
	pg_atomic_uint32 idle[PAWS_RAISED_WORKS]; /* the look at which nothing was found */
} Entry;

typedef struct Raise
{
	pg_atomic_uint32 count;
	pg_atomic_uint32 known;
	pg_atomic_uint32 turn;
	pg_atomic_uint32 looks;         /* that were given out */
	Entry entries[PAWS_RAISED_MAX]; /* by their numbers */
} Raise;

static Raise *databases = NULL; /* [paws_max_databases] */

static PawsStatement drop = {
	.sql = "DELETE FROM paws_queue.raised WHERE subject_no OPERATOR(pg_catalog.<>) ALL ($1)",
	.nargs = 1,
	.types = {INT8ARRAYOID},
};

static PawsStatement put = {
	.sql =
		"INSERT INTO paws_queue.raised AS r (subject_no, until, level) "
		"SELECT c.subject_no, c.until, $3 FROM ROWS FROM (" PAWS_SETS_2 ") AS c (subject_no, until) "
		"ON CONFLICT (subject_no) DO UPDATE SET until = excluded.until, level = excluded.level "
		"WHERE r.until OPERATOR(pg_catalog.<>) excluded.until OR r.level OPERATOR(pg_catalog.<>) excluded.level",
	.nargs = 3,
	.types = {INT8ARRAYOID, TIMESTAMPTZARRAYOID, INT2OID},
};

static Size
size(void)
{
	return mul_size(paws_max_databases, sizeof(Raise));
}

static void
reset(int slot)
{
	Raise *raise = &databases[slot];

	pg_atomic_init_u32(&raise->count, 0);
	pg_atomic_init_u32(&raise->known, 0);
	pg_atomic_init_u32(&raise->turn, 0);
	pg_atomic_init_u32(&raise->looks, 0);
	for (int i = 0; i < PAWS_RAISED_MAX; i++)
	{
		Entry *entry = &raise->entries[i];

		entry->subject_no = entry->until = 0;
		pg_atomic_init_u32(&entry->look, 0);
		for (int work = 0; work < PAWS_RAISED_WORKS; work++)
			pg_atomic_init_u32(&entry->idle[work], 0);
	}
}

static void
attach(void *memory, bool found)
{
	databases = memory;
	for (int slot = 0; !found && slot < paws_max_databases; slot++)
		reset(slot);
}

void
paws_raise_init(void)
{
	static const PawsSharedPart part = {"paws_sync raised subjects", size, attach, reset};

	paws_shmem_offer(&part);
}

static void
touch_entry(Raise *raise, Entry *entry)
{
	pg_atomic_write_u32(&entry->look, pg_atomic_add_fetch_u32(&raise->looks, 1));
}

/* ---- who is raised ---- */

typedef struct Mirror
{
	int slot;
	Oid identity;
	int count;
	PawsRaised raised[FLEXIBLE_ARRAY_MEMBER];
} Mirror;

/* Whoever is new, or takes the place of another, is looked at. */
static void
mirror(void *arg)
{
	Mirror *set = arg;
	Raise *raise = &databases[set->slot];

	if (paws_database_identity(set->slot) != set->identity)
		return;
	LWLockAcquire(paws_lock(PAWS_LOCK_RAISED), LW_EXCLUSIVE);
	for (int i = 0; i < set->count; i++)
	{
		raise->entries[i].subject_no = set->raised[i].subject_no;
		raise->entries[i].until = set->raised[i].until;
		touch_entry(raise, &raise->entries[i]);
	}
	pg_atomic_write_u32(&raise->count, (uint32) set->count);
	pg_atomic_write_u32(&raise->known, 1);
	LWLockRelease(paws_lock(PAWS_LOCK_RAISED));
}

static void
write_table(const PawsRaised *raised, int count)
{
	Datum *subjects = palloc(Max(count, 1) * sizeof(Datum));
	Datum *ends = palloc(Max(count, 1) * sizeof(Datum));
	Datum args[3];

	for (int i = 0; i < count; i++)
	{
		subjects[i] = Int64GetDatum(raised[i].subject_no);
		ends[i] = TimestampTzGetDatum(raised[i].until);
	}
	args[0] = paws_spi_array(subjects, NULL, count, INT8OID);
	args[1] = paws_spi_array(ends, NULL, count, TIMESTAMPTZOID);
	args[2] = Int16GetDatum(PAWS_RAISED_LEVEL);
	paws_spi_run(&drop, args, NULL, 0);
	if (count > 0)
		paws_spi_run(&put, args, NULL, 0);
}

void
paws_raise_set(int slot, const PawsRaised *raised, int count)
{
	Mirror *set;

	write_table(raised, count);
	set = paws_at_commit(mirror, add_size(offsetof(Mirror, raised), mul_size(count, sizeof(PawsRaised))));
	set->slot = slot;
	set->identity = paws_database_identity(slot);
	set->count = count;
	memcpy(set->raised, raised, count * sizeof(PawsRaised));
}

bool
paws_raise_known(int slot)
{
	return pg_atomic_read_u32(&databases[slot].known) != 0;
}

bool
paws_raise_any(int slot)
{
	return pg_atomic_read_u32(&databases[slot].count) > 0;
}

/* The caller holds the lock. */
static Entry *
find(int slot, int64 subject_no)
{
	Raise *raise = &databases[slot];
	int low = 0;
	int high = (int) pg_atomic_read_u32(&raise->count);

	while (low < high)
	{
		int middle = (low + high) / 2;

		if (raise->entries[middle].subject_no < subject_no)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < (int) pg_atomic_read_u32(&raise->count) && raise->entries[low].subject_no == subject_no)
		return &raise->entries[low];
	return NULL;
}

bool
paws_raised(int slot, int64 subject_no)
{
	Entry *entry;
	bool raised;

	if (!paws_raise_any(slot))
		return false;
	LWLockAcquire(paws_lock(PAWS_LOCK_RAISED), LW_SHARED);
	entry = find(slot, subject_no);
	raised = entry != NULL && entry->until > GetCurrentTimestamp();
	LWLockRelease(paws_lock(PAWS_LOCK_RAISED));
	return raised;
}

/* ---- who may have work ---- */

int
paws_raise_looks(int slot, PawsRaisedWork work, PawsRaisedLook *looks, int max)
{
	Raise *raise = &databases[slot];
	TimestampTz now;
	uint32 count;
	uint32 turn;
	int n = 0;

	if (!paws_raise_any(slot))
		return 0;
	now = GetCurrentTimestamp();
	turn = pg_atomic_fetch_add_u32(&raise->turn, 1);
	LWLockAcquire(paws_lock(PAWS_LOCK_RAISED), LW_SHARED);
	count = pg_atomic_read_u32(&raise->count);
	for (uint32 i = 0; i < count && n < max; i++)
	{
		Entry *entry = &raise->entries[(turn + i) % count];
		uint32 look = pg_atomic_read_u32(&entry->look);

		if (look != pg_atomic_read_u32(&entry->idle[work]) && entry->until > now)
			looks[n++] = (PawsRaisedLook){entry->subject_no, look};
	}
	LWLockRelease(paws_lock(PAWS_LOCK_RAISED));
	return n;
}

void
paws_raise_idle(int slot, PawsRaisedWork work, const PawsRaisedLook *look)
{
	Entry *entry;

	LWLockAcquire(paws_lock(PAWS_LOCK_RAISED), LW_SHARED);
	entry = find(slot, look->subject_no);
	if (entry != NULL)
		pg_atomic_write_u32(&entry->idle[work], look->look);
	LWLockRelease(paws_lock(PAWS_LOCK_RAISED));
}

typedef struct Touch
{
	int slot;
	Oid identity;
	int64 subject_no;
} Touch;

static void
touch(void *arg)
{
	Touch *t = arg;
	Entry *entry;

	if (paws_database_identity(t->slot) != t->identity || !paws_raise_any(t->slot))
		return;
	LWLockAcquire(paws_lock(PAWS_LOCK_RAISED), LW_SHARED);
	entry = find(t->slot, t->subject_no);
	if (entry != NULL)
		touch_entry(&databases[t->slot], entry);
	LWLockRelease(paws_lock(PAWS_LOCK_RAISED));
}

/* Whoever is raised between here and the commit is looked at because of that. */
void
paws_raise_touch_at_commit(int slot, int64 subject_no)
{
	Touch *t;

	if (!paws_raise_any(slot))
		return;
	t = paws_at_commit_find(touch);
	if (t == NULL || t->subject_no != subject_no)
		t = paws_at_commit(touch, sizeof(Touch));
	t->slot = slot;
	t->identity = paws_database_identity(slot);
	t->subject_no = subject_no;
}

void
paws_raise_touch_all(int slot)
{
	Raise *raise = &databases[slot];
	uint32 count;

	LWLockAcquire(paws_lock(PAWS_LOCK_RAISED), LW_SHARED);
	count = pg_atomic_read_u32(&raise->count);
	for (uint32 i = 0; i < count; i++)
		touch_entry(raise, &raise->entries[i]);
	LWLockRelease(paws_lock(PAWS_LOCK_RAISED));
}
