/*
 * control/alarm.c - raising, ending and telling of alarms.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/commit.h"
#include "base/database.h"
#include "base/errors.h"
#include "base/log_safe.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "commands/async.h"
#include "control/alarm.h"
#include "storage/spin.h"
#include "utils/timestamp.h"

/* Without a cause for so long it is over. */
#define QUIET_US INT64CONST(30000000)

typedef struct Alarm
{
	PawsAlarmState state;
	int64 quiet_since; /* by paws_clock; 0: there was a cause at the last look */
	bool untold;
} Alarm;

typedef struct Alarms
{
	slock_t lock;
	Alarm alarm[PAWS_ALARMS];
} Alarms;

static Alarms *shared = NULL; /* for each database */

static const PawsAlarmText texts[PAWS_ALARMS] = {
	[PAWS_ALARM_CANARY_SLOW] =
		{"canary_slow", "us", "A crisis operation took more than half of the time that it may take.",
		 "See what else writes: disk, checkpoints, other clients, synchronous standbys."},
	[PAWS_ALARM_CANARY_FAILING] =
		{"canary_failing", "us",
		 "A crisis operation of the lane's own was refused, not seen, or seen too late.",
		 "Look for locks on schemas paws_crisis and paws_registry, for errors of the "
		 "canary in the log, and at doctor()."},
	[PAWS_ALARM_CANARY_SILENT] = {"canary_silent", "s",
								  "The canary of the crisis lane has not been heard of.",
								  "It may wait for a commit: for the disk, or for a synchronous standby. See "
								  "pg_stat_activity for \"paws_sync canary\"."},
	[PAWS_ALARM_REFUSED] = {"refused", "operations", "Well-formed crisis operations were refused.",
							"See pg_stat_paws_sync_crisis_refusals for why; clients have to repeat them."},
	[PAWS_ALARM_ROLLED_BACK] =
		{"rolled_back", "operations",
		 "Crisis operations were taken and then rolled back by their own transactions.",
		 "Push crisis operations in transactions of their own, and repeat what was rolled "
		 "back."},
	[PAWS_ALARM_CRISIS_WORKERS] = {"crisis_workers", "workers", "Crisis workers are missing.",
								   "They come back by themselves within seconds; if not, raise "
								   "\"max_worker_processes\" and look into the log."},
	[PAWS_ALARM_QUEUE_OLD] =
		{"queue_old", "ms",
		 "A crisis operation waits long for its subject. Devices are told it all the same.",
		 "Find the transaction that holds the subject, and end it: see pg_locks."},
	[PAWS_ALARM_QUEUE_STUCK] =
		{"queue_stuck", "operations",
		 "Crisis operations failed too often and stay in the queue. Devices are told them "
		 "all the same.",
		 "See the log for why, and paws_crisis.operation."},
	[PAWS_ALARM_QUEUE_FILLING] =
		{"queue_filling", "operations",
		 "The crisis lane's queue is half full; when it is full, what would wait is refused.",
		 "See why it is not applied; if need be, raise \"paws_sync.crisis_queue_max\"."},
	[PAWS_ALARM_STORAGE_DATA] = {"storage_data", "MB", "Little room is left for data.",
								 "Make room where data directory and tablespaces are. Without any, crisis "
								 "operations are refused as well."},
	[PAWS_ALARM_STORAGE_WAL] = {"storage_wal", "MB", "Little room is left for WAL.",
								"Make room where pg_wal is: without any the server stops. Look for inactive "
								"replication slots and for archiving that fails."},
};

static Size
size(void)
{
	return mul_size(paws_max_databases, sizeof(Alarms));
}

static void
reset(int slot)
{
	SpinLockAcquire(&shared[slot].lock);
	memset(shared[slot].alarm, 0, sizeof(shared[slot].alarm));
	SpinLockRelease(&shared[slot].lock);
}

static void
attach(void *memory, bool found)
{
	shared = memory;
	if (found)
		return;
	for (int slot = 0; slot < paws_max_databases; slot++)
	{
		SpinLockInit(&shared[slot].lock);
		reset(slot);
	}
}

void
paws_alarm_init(void)
{
	static const PawsSharedPart part = {"paws_sync alarms", size, attach, reset};

	paws_shmem_offer(&part);
}

const PawsAlarmText *
paws_alarm_text(PawsAlarm alarm)
{
	return &texts[alarm];
}

/* True if it is raised, or over, from now on. */
static bool
change(Alarm *alarm, bool cause)
{
	int64 now = paws_clock();

	if (cause)
		alarm->quiet_since = 0;
	else if (alarm->quiet_since == 0)
		alarm->quiet_since = now;
	if (cause == alarm->state.raised || (!cause && now - alarm->quiet_since < QUIET_US))
		return false;
	alarm->state.raised = cause;
	alarm->state.times += cause;
	alarm->untold = true;
	return true;
}

static void
write_line(PawsAlarm alarm, bool raised)
{
	const PawsAlarmText *text = &texts[alarm];

	if (raised)
		ereport_domain(WARNING, PAWS_LOG_SAFE,
					   (errcode(PAWS_ERRCODE_ALARM), errmsg("alarm %s is raised", text->name),
						errdetail("%s", text->detail), errhint("%s", text->hint)));
	else
		ereport_domain(LOG, PAWS_LOG_SAFE, (errmsg("alarm %s is over", text->name)));
}

void
paws_alarm_judge(int slot, PawsAlarm which, bool cause, int64 measured, int64 threshold)
{
	Alarm *alarm = &shared[slot].alarm[which];
	TimestampTz now = GetCurrentTimestamp();
	bool changed;

	SpinLockAcquire(&shared[slot].lock);
	alarm->state.measured = measured;
	alarm->state.threshold = threshold;
	changed = change(alarm, cause);
	if (changed)
		alarm->state.since = now;
	SpinLockRelease(&shared[slot].lock);
	if (changed)
		write_line(which, cause);
}

void
paws_alarm_read(int slot, PawsAlarm alarm, PawsAlarmState *state)
{
	SpinLockAcquire(&shared[slot].lock);
	*state = shared[slot].alarm[alarm].state;
	SpinLockRelease(&shared[slot].lock);
}

int
paws_alarm_count(int slot)
{
	int count = 0;

	SpinLockAcquire(&shared[slot].lock);
	for (int i = 0; i < PAWS_ALARMS; i++)
		count += shared[slot].alarm[i].state.raised;
	SpinLockRelease(&shared[slot].lock);
	return count;
}

/* What a transaction tells. */
typedef struct Told
{
	int slot;
	Oid identity;
	PawsAlarm alarm;
} Told;

static void
set_untold(void *arg)
{
	Told *told = arg;

	if (paws_database_identity(told->slot) != told->identity)
		return;
	SpinLockAcquire(&shared[told->slot].lock);
	shared[told->slot].alarm[told->alarm].untold = true;
	SpinLockRelease(&shared[told->slot].lock);
}

/* True if this one was not told yet, which it is now; *raised: what is to be told. */
static bool
take_untold(int slot, PawsAlarm which, bool *raised)
{
	Alarm *alarm = &shared[slot].alarm[which];
	bool untold;

	SpinLockAcquire(&shared[slot].lock);
	untold = alarm->untold;
	alarm->untold = false;
	*raised = alarm->state.raised;
	SpinLockRelease(&shared[slot].lock);
	return untold;
}

bool
paws_alarm_untold(int slot)
{
	bool untold = false;

	SpinLockAcquire(&shared[slot].lock);
	for (int i = 0; i < PAWS_ALARMS; i++)
		untold = untold || shared[slot].alarm[i].untold;
	SpinLockRelease(&shared[slot].lock);
	return untold;
}

void
paws_alarm_notify(int slot)
{
	for (int i = 0; i < PAWS_ALARMS; i++)
	{
		bool raised;
		char message[64];

		if (!take_untold(slot, (PawsAlarm) i, &raised))
			continue;
		*(Told *) paws_at_abort(set_untold, sizeof(Told)) =
			(Told){.slot = slot, .identity = paws_database_identity(slot), .alarm = (PawsAlarm) i};
		snprintf(message, sizeof(message), "%s %s", texts[i].name, raised ? "raised" : "over");
		Async_Notify(PAWS_ALARM_CHANNEL, message);
	}
}
