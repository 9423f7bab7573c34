/*
 * workers/job_house.c - the parts of housekeeping of jobs, each with its own time to come back.
 */
#include "postgres.h"

#include "base/bulk.h"
#include "base/settings.h"
#include "base/spi.h"
#include "base/worker.h"
#include "queue/job.h"
#include "storage/proc.h"
#include "utils/timestamp.h"
#include "workers/job_house.h"

#define SLICE         200
#define MORE_MS       20
#define AGAIN_US      (60 * USECS_PER_SEC)
#define RETRY_US      USECS_PER_SEC
#define RETRY_DOUBLES 6

/* A table of history goes with a lock that nobody shares; who waits for it would hold up whoever comes after.
 */
#define DROP_LOCK_TIMEOUT_MS 50

typedef struct Part
{
	const char *activity;
	bool (*work)(void);   /* true if there is more */
	bool (*wanted)(void); /* NULL: from time to time, while there are topics */
	int lock_timeout;     /* ms; 0: the worker's */
	TimestampTz next_at;
	int failures; /* in a row */
} Part;

static bool
make_ahead(void)
{
	(void) paws_job_history_ahead();
	return false;
}

static bool
drop_history(void)
{
	return paws_job_history_drop();
}

static bool
sweep(void)
{
	return paws_job_sweep(paws_worker_database_slot(), SLICE) >= SLICE;
}

/* Of what a start left; a table that is read as a whole must not keep the timer from its leases. */
static bool
count_jobs(void)
{
	paws_job_recount(paws_worker_database_slot());
	return false;
}

static bool
not_counted(void)
{
	return !paws_job_counted(paws_worker_database_slot());
}

/* Without topics there is nothing to keep. */
static bool
work_on(const Part *part)
{
	const PawsTopic *topics;
	bool more = false;

	paws_spi_begin();
	if (part->wanted != NULL || paws_topics(&topics) > 0)
		more = part->work();
	paws_spi_end();
	return more;
}

/* True if there is more. A failure, such as a lock that was not to be had, is tried again, later each time.
 */
static bool
try_part(Part *part)
{
	int lock_timeout = LockTimeout;
	volatile bool more = false;

	if (part->lock_timeout > 0)
		LockTimeout = part->lock_timeout;
	PG_TRY();
	{
		more = work_on(part);
		paws_worker_commit();
		part->failures = 0;
	}
	PG_CATCH();
	{
		paws_worker_abort();
		more = false;
		part->failures++;
	}
	PG_END_TRY();
	LockTimeout = lock_timeout;
	return more;
}

static bool
take_turn(Part *part)
{
	TimestampTz now = GetCurrentTimestamp();
	uint64 before;
	bool more;
	int64 pause = Min(AGAIN_US, (int64) paws_housekeeping_interval * USECS_PER_SEC);

	if (part->wanted != NULL && !part->wanted())
		return false;
	/* a clock that was set back makes nothing wait longer than that */
	if (now < part->next_at && part->next_at - now <= AGAIN_US)
		return false;
	if (paws_bulk_wait() > 0)
		return true;
	if (!paws_worker_begin(part->activity))
		return false;
	before = paws_bulk_begin();
	more = try_part(part);
	(void) paws_bulk_end(before);
	if (more)
		return true;
	if (part->wanted != NULL && part->failures == 0)
		return false;
	if (part->failures > 0)
		pause = Min(AGAIN_US, RETRY_US << Min(part->failures, RETRY_DOUBLES));
	part->next_at = GetCurrentTimestamp() + pause;
	return false;
}

long
paws_job_house_turn(void)
{
	static Part parts[] = {
		{.activity = "paws_sync: count jobs", .work = count_jobs, .wanted = not_counted},
		{.activity = "paws_sync: make tables of history", .work = make_ahead},
		{.activity = "paws_sync: sweep keys and dead letters", .work = sweep},
		{.activity = "paws_sync: drop tables of history",
		 .work = drop_history,
		 .lock_timeout = DROP_LOCK_TIMEOUT_MS},
	};
	bool more = false;

	for (int i = 0; i < (int) lengthof(parts); i++)
		more |= take_turn(&parts[i]);
	return more ? Max(MORE_MS, paws_bulk_wait()) : PAWS_JOB_HOUSE_IDLE;
}
