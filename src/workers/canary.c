/*
 * workers/canary.c - one for each database: tries the crisis lane, and raises alarms.
 *
 * Every paws_sync.canary_interval it pushes an operation like a device does, by the function that devices
 * call, and waits until a consumer has it (canary_look.h). Every few rounds the operation goes by way of the
 * lane's queue, and is to be applied by a crisis worker as well. Between the rounds it looks at all that
 * alarms are raised for. It is on nobody's path: without it the lane serves as ever, and nobody watches.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/database.h"
#include "base/settings.h"
#include "base/spi.h"
#include "base/worker.h"
#include "catalog/pg_type.h"
#include "control/alarm.h"
#include "control/health.h"
#include "crisis/budget.h"
#include "crisis/canary.h"
#include "crisis/canary_history.h"
#include "crisis/queue.h"
#include "crisis/room.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "workers/canary_look.h"
#include "workers/workers.h"

#define WITHOUT_EXTENSION_MS 5000
#define LOOK_MS              2000
#define PATIENCE_MS          1000 /* with a consumer, and with a crisis worker */
#define QUEUE_ROUNDS         6    /* one of so many goes by way of the queue */
#define TRIM_ROUNDS          60
#define RECOUNT_MS           30000 /* of a queue that is taken to be empty */

static PawsStatement push = {
	.sql = "SELECT outcome::pg_catalog.text FROM paws_sync.push_crisis($1, $2)",
	.nargs = 2,
	.types = {InvalidOid, JSONBOID},
	.type_names = {"device"},
};

/* What is remembered between turns. */
typedef struct Canary
{
	Oid identity; /* of the extension that all of this is about */
	bool known;   /* who it is */
	bool doubt;   /* whether it still is */
	PawsCanaryIdentity who;
	pg_uuid_t doc_id;
	int64 next_at;    /* round, by paws_clock */
	int64 counted_at; /* the queue */
	uint64 rounds;
	bool off; /* it was noted that it is off */
	PawsLaneQueue queue;
} Canary;

static Canary self = {0};

static void
make_uuid(pg_uuid_t *id)
{
	*id = *DatumGetUUIDP(DirectFunctionCall1(gen_random_uuid, (Datum) 0));
}

/* Runs something in a transaction of its own; false if it failed, with its line in the log. */
static bool
run(const char *activity, void (*what)(void *arg), void *arg)
{
	volatile bool good = false;

	if (!paws_worker_begin(activity))
		return false;
	PG_TRY();
	{
		paws_spi_begin();
		what(arg);
		paws_spi_end();
		paws_worker_commit();
		good = true;
	}
	PG_CATCH();
	{
		paws_worker_abort();
	}
	PG_END_TRY();
	return good;
}

static void
find_out_who(void *arg)
{
	self.known = paws_canary_identity(&self.who);
	if (!self.known && paws_canary_can_be_made())
	{
		paws_canary_make_identity(&self.who);
		self.known = true;
	}
	self.doubt = false;
}

/* Walks the queue only if something is in it, or to be sure that nothing is. */
static void
count_queue(void *arg)
{
	int slot = paws_worker_database_slot();

	paws_crisis_queue_state(&self.queue.waiting, &self.queue.stuck, &self.queue.oldest);
	paws_room_correct(slot, self.queue.waiting);
}

static void
look(int slot)
{
	int64 now = paws_clock();

	if (paws_room_waiting(slot) > 0 || self.counted_at == 0 ||
		now - self.counted_at > RECOUNT_MS * INT64CONST(1000))
	{
		self.counted_at = now;
		(void) run("paws_sync: count what waits for crisis", count_queue, NULL);
	}
	paws_health_look(slot, &self.queue);
}

static Datum
operation(const pg_uuid_t *op_id)
{
	char *id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(op_id)));
	char *doc_id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&self.doc_id)));
	char *text = psprintf("[{\"op_id\": \"%s\", \"doc_id\": \"%s\", \"collection\": \"" PAWS_CANARY_COLLECTION
						  "\", \"base_revision\": 0, \"payload\": \"Y2FuYXJ5\"}]",
						  id, doc_id);

	return DirectFunctionCall1(jsonb_in, CStringGetDatum(text));
}

static void
push_operation(void *arg)
{
	Datum args[2] = {PointerGetDatum(&self.who.device), operation(arg)};
	bool isnull;
	char *outcome;

	paws_spi_run(&push, args, NULL, 0);
	outcome = TextDatumGetCString(paws_spi_column(0, 1, &isnull));
	if (strcmp(outcome, "accepted") != 0)
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("the canary was not accepted"),
						errhint("See collection " PAWS_CANARY_COLLECTION ": its class must be safety.")));
}

/* True when a consumer had it, and a crisis worker if it was to; *latency as far as it is known. */
static bool
wait_for_consumer(int slot, int64 *latency)
{
	int64 deadline = paws_clock() + PATIENCE_MS * INT64CONST(1000);

	for (;;)
	{
		bool nobody;
		long left;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (paws_canary_arrived(slot, latency, &nobody))
			return true;
		if (nobody && *latency < 0)
			paws_canary_look(slot);
		left = (long) ((deadline - paws_clock() + 999) / 1000);
		if (left <= 0)
			return false;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, left, PG_WAIT_EXTENSION);
	}
}

/* Nobody said that it was there: is it? */
static PawsCanaryResult
judge(int slot, bool arrived, int64 *latency, int64 begun_at)
{
	bool nobody;

	if (*latency < 0)
	{
		paws_canary_look(slot);
		(void) paws_canary_arrived(slot, latency, &nobody);
	}
	if (*latency < 0)
	{
		*latency = paws_clock() - begun_at;
		return PAWS_CANARY_LOST;
	}
	if (*latency > PAWS_CRISIS_BUDGET_MS * INT64CONST(1000))
		return PAWS_CANARY_LATE;
	return arrived ? PAWS_CANARY_GOOD : PAWS_CANARY_UNAPPLIED;
}

static PawsCanaryResult
run_round(int slot, int64 *latency)
{
	int64 begun_at = paws_clock();
	pg_uuid_t op_id;
	bool pushed;
	bool arrived;

	make_uuid(&op_id);
	paws_canary_by_queue = ++self.rounds % QUEUE_ROUNDS == 0;
	paws_canary_begin(slot, &op_id, paws_canary_by_queue);
	pushed = run("paws_sync: try the crisis lane", push_operation, &op_id);
	paws_canary_by_queue = false;
	*latency = -1;
	if (!pushed)
	{
		*latency = paws_clock() - begun_at;
		return PAWS_CANARY_REFUSED;
	}
	arrived = wait_for_consumer(slot, latency);
	return judge(slot, arrived, latency, begun_at);
}

/* Not waited for: what a crash takes of it was not there. */
static void
keep_account(void *arg)
{
	(void) set_config_option("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true,
							 0, false);
	paws_canary_account(arg);
}

static void
trim(void *arg)
{
	paws_canary_trim(self.who.subject_no);
}

static bool
is_there(PawsCanaryResult result)
{
	return result == PAWS_CANARY_GOOD || result == PAWS_CANARY_UNAPPLIED;
}

static void
end_round(int slot, PawsCanaryResult result, int64 latency)
{
	PawsCanaryAccount account = {.round = true, .running = true, .latency = latency};
	bool there = is_there(result);

	paws_canary_end(slot, result, account.latency);
	account.failed = !there;
	paws_canary_elapsed(slot, there, &account.elapsed, &account.there);
	if (run("paws_sync: account for the crisis lane", keep_account, &account))
		paws_canary_accounted(slot, there);
	self.doubt = result == PAWS_CANARY_REFUSED;
	pg_atomic_fetch_add_u64(&paws_worker_self()->operations, 1);
	self.off = false;
}

/* The registry is asked at the first round and after one that was refused; else it is the lane that reads it.
 */
static void
try_lane(int slot)
{
	int64 begun_at = paws_clock();
	PawsCanaryResult result;
	int64 latency;

	if ((!self.known || self.doubt) && !run("paws_sync: find the canary", find_out_who, NULL) && !self.known)
	{
		end_round(slot, PAWS_CANARY_REFUSED, paws_clock() - begun_at);
		return;
	}
	if (!self.known)
		return;
	/* who is to wait hears of it when it goes to sleep the next time */
	if (paws_canary_introduce(slot, self.who.subject_no, &self.who.watcher))
		paws_worker_nudge(MyDatabaseId);
	result = run_round(slot, &latency);
	end_round(slot, result, latency);
	if (self.rounds % TRIM_ROUNDS == 1)
		(void) run("paws_sync: trim the canary", trim, NULL);
}

/* Up to now it was on. */
static void
note_off(int slot)
{
	PawsCanaryAccount account = {.running = false};

	if (self.off)
		return;
	paws_canary_elapsed(slot, true, &account.elapsed, &account.there);
	if (!run("paws_sync: account for the crisis lane", keep_account, &account))
		return;
	paws_canary_unaccounted(slot);
	self.off = true;
}

static void
round_if_due(int slot)
{
	int64 now = paws_clock();

	if (paws_canary_interval == 0)
	{
		note_off(slot);
		self.next_at = 0;
	}
	else if (now >= self.next_at)
	{
		self.next_at = now + (int64) paws_canary_interval * USECS_PER_SEC;
		try_lane(slot);
	}
}

static void
notify(void *arg)
{
	paws_alarm_notify(paws_worker_database_slot());
}

/* What was there before belongs to another extension. */
static void
begin_anew(Oid identity)
{
	memset(&self, 0, sizeof(self));
	self.identity = identity;
	make_uuid(&self.doc_id);
}

static long
turn(void)
{
	PawsWorkerSlot *worker = paws_worker_self();
	long wait = LOOK_MS;
	int slot;

	paws_canary_here = true;
	if (!paws_worker_begin("paws_sync: look after the crisis lane"))
		return WITHOUT_EXTENSION_MS;
	slot = paws_worker_database_slot();
	paws_worker_commit();
	if (self.identity != paws_database_identity(slot))
		begin_anew(paws_database_identity(slot));
	paws_canary_alive(slot, paws_canary_interval > 0 && !self.known);
	round_if_due(slot);
	look(slot);
	paws_canary_alive(slot, paws_canary_interval > 0 && !self.known);
	if (paws_alarm_untold(slot))
		(void) run("paws_sync: notify of alarms", notify, NULL);
	pg_atomic_fetch_add_u64(&worker->batches, 1);
	pg_atomic_write_u64(&worker->active_at, (uint64) GetCurrentTimestamp());
	if (self.next_at > 0)
		wait = Min(wait, (long) Max((self.next_at - paws_clock() + 999) / 1000, 1));
	return wait;
}

void
paws_canary_main(Datum main_arg)
{
	static const PawsWorkerMain canary = {PAWS_WORKER_CANARY, PAWS_CANARY_ENTRY, turn, NULL};

	paws_worker_run(&canary, main_arg);
}
