/*
 * crisis/room.c - the count of what waits.
 */
#include "postgres.h"

#include "base/commit.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "crisis/room.h"
#include "port/atomics.h"

static pg_atomic_uint64 *waiting = NULL; /* for each database; signed, since corrections and commits cross */

static Size
size(void)
{
	return mul_size(paws_max_databases, sizeof(pg_atomic_uint64));
}

static void
reset(int slot)
{
	pg_atomic_write_u64(&waiting[slot], 0);
}

static void
attach(void *memory, bool found)
{
	waiting = memory;
	for (int slot = 0; !found && slot < paws_max_databases; slot++)
		pg_atomic_init_u64(&waiting[slot], 0);
}

void
paws_room_init(void)
{
	static const PawsSharedPart part = {"paws_sync crisis room", size, attach, reset};

	paws_shmem_offer(&part);
}

int64
paws_room_waiting(int slot)
{
	return Max((int64) pg_atomic_read_u64(&waiting[slot]), 0);
}

void
paws_room_correct(int slot, int64 counted)
{
	pg_atomic_write_u64(&waiting[slot], (uint64) counted);
}

void
paws_room_require(int slot, int count)
{
	if (paws_room_waiting(slot) + count > paws_crisis_queue_max)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("crisis queue is full"),
				 errdetail("As many operations as \"paws_sync.crisis_queue_max\" allows wait for their "
						   "subjects; nothing of this call was taken."),
				 errhint("Repeat the call. Find who holds subjects, or why crisis workers do not get on: see "
						 "pg_stat_paws_sync_alarms and doctor().")));
}

typedef struct Move
{
	int slot;
	int count;
} Move;

static void
move(void *arg)
{
	Move *moved = arg;

	pg_atomic_fetch_add_u64(&waiting[moved->slot], moved->count);
}

void
paws_room_at_commit(int slot, int count)
{
	*(Move *) paws_at_commit(move, sizeof(Move)) = (Move){slot, count};
}
