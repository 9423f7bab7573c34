/*
 * api/job_claim.c - claim and claim_wait: items of the crisis lane first, and then jobs.
 */
#include "postgres.h"

#include "access/xact.h"
#include "api/job_arguments.h"
#include "base/clock.h"
#include "base/database.h"
#include "base/guarded.h"
#include "base/settings.h"
#include "base/spi.h"
#include "base/wake.h"
#include "control/rows.h"
#include "crisis/attention.h"
#include "crisis/budget.h"
#include "crisis/item.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "queue/job.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "vault/vault.h"

/* A waiter that an operator's lock keeps from the ordinary lane looks again after so long. */
#define LOCKED_MS 100

PG_FUNCTION_INFO_V1(paws_claim);
PG_FUNCTION_INFO_V1(paws_claim_wait);

typedef struct Claim
{
	int slot;
	int max;
	int64 lease; /* 0: each topic's */
	bool waits;
	bool responds; /* the topic of crisis signals is named, which the ordinary lane does not know */
	bool found_topics;
	int ntopics;
	int16 *topics;
	Datum given; /* text[] */
	PawsJobColumn names;
	PawsClaimedJob *jobs; /* of the last look */
	int njobs;
	MemoryContext caller;
	PawsRows rows;
} Claim;

static void
refuse_names(const char *message)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", message),
					errhint("Name one or more topics, as define_topic was given them.")));
}

static void
read_names(FunctionCallInfo fcinfo, Claim *claim)
{
	int count = -1;

	paws_job_not_null(fcinfo, 0, "topics");
	claim->names = paws_job_column(fcinfo, 0, -1, false, TYPALIGN_INT, &count);
	claim->given = PG_GETARG_DATUM(0);
	if (count == 0)
		refuse_names("topics is empty");
	for (int i = 0; i < count; i++)
		if (claim->names.nulls[i])
			refuse_names("a topic is null");
}

static void
add_topic(Claim *claim, int16 no)
{
	for (int i = 0; i < claim->ntopics; i++)
		if (claim->topics[i] == no)
			return;
	claim->topics[claim->ntopics++] = no;
}

static bool
is_response(PawsBytes name)
{
	return name.length == strlen(PAWS_RESPONSE_TOPIC) &&
		   memcmp(name.data, PAWS_RESPONSE_TOPIC, name.length) == 0;
}

static bool
names_response(const Claim *claim)
{
	for (int i = 0; i < claim->names.count; i++)
		if (is_response(paws_job_bytes(claim->names.values[i])))
			return true;
	return false;
}

/* Those of the ordinary lane. */
static void
find_topics(Claim *claim)
{
	claim->topics = MemoryContextAlloc(claim->caller, claim->names.count * sizeof(int16));
	claim->ntopics = 0;
	for (int i = 0; i < claim->names.count; i++)
	{
		PawsBytes name = paws_job_bytes(claim->names.values[i]);

		if (!is_response(name))
			add_topic(claim, paws_topic((const char *) name.data, name.length)->no);
	}
	if (claim->waits)
		paws_job_wait_begin(claim->slot, claim->topics, claim->ntopics);
	claim->found_topics = true;
}

static const char *
topic_name(const PawsClaimedJob *job)
{
	const PawsTopic *topic = paws_topic_no(job->topic_no);

	return topic ? topic->name : NULL;
}

static void
put_job(PawsRows *rows, const PawsClaimedJob *job)
{
	paws_row_datum(rows, Int64GetDatum(job->id));
	paws_row_datum(rows, Int64GetDatum(job->fence));
	paws_row_text(rows, topic_name(job));
	paws_row_datum(rows, Int16GetDatum(job->level));
	paws_row_label(rows, paws_class_name(job->klass));
	paws_row_datum(rows, Int32GetDatum(job->attempt));
	paws_row_bytea(rows, job->payload);
	if (job->has_subject)
		paws_row_datum(rows, PointerGetDatum(&job->subject));
	else
		paws_row_null(rows);
	paws_row_timestamp(rows, job->submitted_at);
	paws_row_timestamp(rows, job->leased_until);
	paws_row_end(rows);
}

static void
put_item(PawsRows *rows, const PawsClaimedItem *item)
{
	paws_row_datum(rows, Int64GetDatum(item->id));
	paws_row_datum(rows, Int64GetDatum(item->fence));
	paws_row_text(rows, item->topic);
	paws_row_datum(rows, Int16GetDatum(item->level));
	paws_row_label(rows, paws_class_name(item->klass));
	paws_row_datum(rows, Int32GetDatum(item->attempt));
	paws_row_bytea(rows, item->payload);
	if (item->has_subject)
		paws_row_datum(rows, PointerGetDatum(&item->subject));
	else
		paws_row_null(rows);
	paws_row_timestamp(rows, item->submitted_at);
	paws_row_timestamp(rows, item->claimed_until);
	paws_row_end(rows);
}

static void
begin_claim(Claim *claim, FunctionCallInfo fcinfo)
{
	memset(claim, 0, offsetof(Claim, rows));
	read_names(fcinfo, claim);
	claim->max = paws_job_count(fcinfo, 1, PAWS_CLAIM_MAX, "max");
	if (!PG_ARGISNULL(2))
		claim->lease = paws_job_interval(fcinfo, 2, PAWS_LEASE_MIN, PAWS_LEASE_MAX, "lease");
	claim->slot = paws_database_slot();
	claim->caller = CurrentMemoryContext;
	claim->responds = names_response(claim);
	paws_rows_begin(&claim->rows, fcinfo);
}

/* Of the crisis lane: first, and without anything ordinary. */
static int
look_at_items(Claim *claim)
{
	PawsClaimedItem *items = NULL;
	int count = paws_items_claim(claim->slot, claim->given, claim->max, claim->lease, &items);

	for (int i = 0; i < count; i++)
		put_item(&claim->rows, &items[i]);
	return count;
}

/* `njobs` is how many there may be. */
static void
look_at_jobs(void *arg)
{
	Claim *claim = arg;
	int max = claim->njobs;

	claim->njobs = 0;
	paws_vault_require(PAWS_ROOT_CARE);
	if (!claim->found_topics)
	{
		paws_vault_require_usable(PAWS_ROOT_CARE);
		find_topics(claim);
	}
	else if (claim->waits)
		paws_job_wait_again();
	claim->jobs = palloc(max * sizeof(PawsClaimedJob));
	claim->njobs = paws_job_claim(claim->slot, claim->topics, claim->ntopics, max, claim->lease, claim->jobs);
}

static bool
forgive_all(int sqlstate)
{
	return true;
}

static bool
forgive_locks(int sqlstate)
{
	return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE;
}

/* Who responds to crises is told of nothing that ails the ordinary lane but its topics' names. */
static bool
forgive_state(int sqlstate)
{
	return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE || sqlstate == ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
}

/*
 * Locks on the ordinary lane's tables keep nobody from items: what waits for such a lock waits briefly, and
 * is looked at again by the next call. False if that is so.
 */
static bool
try_jobs(Claim *claim, int items)
{
	claim->njobs = claim->max - items;
	if (claim->njobs == 0 || (claim->responds && claim->names.count == 1))
	{
		claim->njobs = 0;
		return true;
	}
	if (items == 0 && !claim->responds && paws_job_unlocked(claim->slot))
	{
		look_at_jobs(claim);
		return true;
	}
	if (paws_run_guarded(look_at_jobs, claim,
						 items > 0         ? forgive_all
						 : claim->responds ? forgive_state
										   : forgive_locks))
		return true;
	claim->njobs = 0;
	return false;
}

/* How many there were. *locked: the ordinary lane did not answer. */
static int
look(Claim *claim, bool *locked)
{
	PawsCrisisTime time = paws_crisis_take_time();
	int count;

	paws_spi_begin();
	count = look_at_items(claim);
	if (count == 0)
		paws_crisis_give_back_time(&time);
	*locked = !try_jobs(claim, count);
	for (int i = 0; i < claim->njobs; i++)
		put_job(&claim->rows, &claim->jobs[i]);
	count += claim->njobs;
	paws_spi_end();
	paws_crisis_end_time(&time);
	return count;
}

Datum
paws_claim(PG_FUNCTION_ARGS)
{
	Claim claim;
	bool locked;

	begin_claim(&claim, fcinfo);
	(void) look(&claim, &locked);
	return (Datum) 0;
}

/* The latch is reset before each look, so what becomes available after the look sets it again. */
static void
wait_for_jobs(Claim *claim, long timeout)
{
	int64 deadline = paws_clock() + timeout * 1000;

	for (;;)
	{
		long left;
		bool locked;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (look(claim, &locked) > 0)
			return;
		left = (long) ((deadline - paws_clock() + 999) / 1000);
		if (left <= 0)
			return;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Min(left, locked ? LOCKED_MS : paws_poll_interval), PG_WAIT_EXTENSION);
	}
}

static void
require_read_committed(void)
{
	if (IsolationUsesXactSnapshot())
		ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
						errmsg("claim_wait needs transaction isolation level read committed"),
						errhint("In a transaction with one snapshot nothing new can appear; use READ "
								"COMMITTED, or claim.")));
}

Datum
paws_claim_wait(PG_FUNCTION_ARGS)
{
	int64 timeout = paws_job_interval(fcinfo, 3, 0, PG_INT64_MAX, "timeout");
	Claim claim;

	require_read_committed();
	begin_claim(&claim, fcinfo);
	claim.waits = true;
	paws_wake_key_watch(claim.slot, PAWS_ITEMS_KEY);
	PG_TRY();
	{
		wait_for_jobs(&claim, (long) Min(timeout / 1000, (int64) paws_max_wait_with_snapshot));
	}
	PG_FINALLY();
	{
		paws_wake_key_unwatch();
		paws_job_wait_end();
	}
	PG_END_TRY();
	return (Datum) 0;
}
