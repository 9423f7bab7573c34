/*
 * crisis/room.c - the count of what waits.
 */
#include "postgres.h"

#include "base/commit.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "crisis/room.h"
#include "port/atomics.h"

typedef struct Room
{
	pg_atomic_uint64 waiting; /* signed, since a correction and a commit may cross */
	bool looked;              /* the rest is written by whoever counts the table, one process */
	int64 looked_waiting;     /* at the last look */
	int64 looked_counted;
} Room;

static Room *rooms = NULL; /* for each database */

static Size
size(void)
{
	return mul_size(paws_max_databases, sizeof(Room));
}

static void
reset(int slot)
{
	pg_atomic_write_u64(&rooms[slot].waiting, 0);
	rooms[slot].looked = false;
}

static void
attach(void *memory, bool found)
{
	rooms = memory;
	for (int slot = 0; !found && slot < paws_max_databases; slot++)
	{
		pg_atomic_init_u64(&rooms[slot].waiting, 0);
		reset(slot);
	}
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
	return Max((int64) pg_atomic_read_u64(&rooms[slot].waiting), 0);
}

/* A commit is visible a moment before its action runs. So what differs is believed when it differs twice,
 * and nothing moved in between; the first time, after a start, at once. */
void
paws_room_correct(int slot, int64 counted)
{
	Room *room = &rooms[slot];
	int64 now = (int64) pg_atomic_read_u64(&room->waiting);

	if (!room->looked || (now == room->looked_waiting && counted == room->looked_counted))
		now = (int64) pg_atomic_add_fetch_u64(&room->waiting, counted - now);
	room->looked = true;
	room->looked_waiting = now;
	room->looked_counted = counted;
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

	pg_atomic_fetch_add_u64(&rooms[moved->slot].waiting, moved->count);
}

void
paws_room_at_commit(int slot, int count)
{
	*(Move *) paws_at_commit(move, sizeof(Move)) = (Move){slot, count};
}
