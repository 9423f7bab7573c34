/*
 * store/store.c - applying changes, in four steps: lock the subjects, read what is there, decide in memory,
 * write by sets.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/spi.h"
#include "catalog/pg_type.h"
#include "store/store.h"
#include "store/store_private.h"
#include "utils/timestamp.h"

static int
compare_subjects(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return (x > y) - (x < y);
}

/* The distinct subjects of the changes, ascending: the order in which every process locks them. */
static int
distinct_subjects(const PawsChange *changes, int count, int64 *subjects)
{
	int distinct = 0;

	for (int i = 0; i < count; i++)
		subjects[i] = changes[i].subject_no;
	qsort(subjects, count, sizeof(int64), compare_subjects);
	for (int i = 0; i < count; i++)
		if (distinct == 0 || subjects[distinct - 1] != subjects[i])
			subjects[distinct++] = subjects[i];
	return distinct;
}

/* Locks the counters and returns them, ascending by subject; those that others hold are left out unless wait.
 */
static int
lock_counters(PawsStore *store, const PawsChange *changes, int count, bool wait, PawsCounter *counters)
{
	int64 *subjects = palloc(count * sizeof(int64));
	int distinct = distinct_subjects(changes, count, subjects);
	Datum *values = palloc(distinct * sizeof(Datum));
	Datum args[1];
	int locked;

	for (int i = 0; i < distinct; i++)
		values[i] = Int64GetDatum(subjects[i]);
	args[0] = paws_spi_array(values, NULL, distinct, INT8OID);
	locked = (int) paws_store_run(store, wait ? PAWS_STORE_LOCK_WAIT : PAWS_STORE_LOCK_SKIP, args, NULL);
	for (int i = 0; i < locked; i++)
	{
		counters[i].subject_no = paws_spi_int64(i, 1);
		counters[i].before = counters[i].position = paws_spi_int64(i, 2);
	}
	return locked;
}

static PawsCounter *
counter_of(PawsCounter *counters, int ncounters, int64 subject_no)
{
	return bsearch(&subject_no, counters, ncounters, sizeof(PawsCounter), compare_subjects);
}

/* Operations that have a receipt are repeats: they take its answer and are not applied again. */
static void
find_repeats(PawsStore *store, PawsChange *changes, int count)
{
	Datum *devices = palloc(count * sizeof(Datum));
	Datum *op_ids = palloc(count * sizeof(Datum));
	Datum args[2];
	int found;

	for (int i = 0; i < count; i++)
	{
		devices[i] = Int64GetDatum(changes[i].device_no);
		op_ids[i] = UUIDPGetDatum(&changes[i].op_id);
	}
	args[0] = paws_spi_array(devices, NULL, count, INT8OID);
	args[1] = paws_spi_array(op_ids, NULL, count, UUIDOID);
	found = (int) paws_store_run(store, PAWS_STORE_FIND_REPEATS, args, NULL);
	for (int row = 0; row < found; row++)
	{
		PawsChange *change = &changes[paws_spi_int64(row, 1) - 1];

		change->repeated = true;
		change->outcome = (PawsOutcome) paws_spi_int16(row, 2);
		change->reason = (PawsReason) paws_spi_int16(row, 3);
		change->revision = paws_spi_int64(row, 4);
		change->position = paws_spi_int64(row, 5);
	}
}

static int
compare_heads(const void *a, const void *b)
{
	const PawsHead *x = a;
	const PawsHead *y = b;
	int by_subject = compare_subjects(&x->subject_no, &y->subject_no);

	return by_subject ? by_subject : memcmp(&x->doc_id, &y->doc_id, UUID_LEN);
}

/* The head of each document concerned, in order; revision 0 stands for a document that does not exist. */
static int
read_heads(PawsStore *store, PawsChange *changes, int count, PawsHead *heads)
{
	Datum *subjects = palloc(count * sizeof(Datum));
	Datum *doc_ids = palloc(count * sizeof(Datum));
	Datum args[2];
	int nheads = 0;
	int found;

	for (int i = 0; i < count; i++)
	{
		heads[i] = (PawsHead){.subject_no = changes[i].subject_no, .doc_id = changes[i].doc_id};
	}
	qsort(heads, count, sizeof(PawsHead), compare_heads);
	for (int i = 0; i < count; i++)
		if (nheads == 0 || compare_heads(&heads[nheads - 1], &heads[i]) != 0)
			heads[nheads++] = heads[i];
	for (int i = 0; i < nheads; i++)
	{
		subjects[i] = Int64GetDatum(heads[i].subject_no);
		doc_ids[i] = UUIDPGetDatum(&heads[i].doc_id);
	}
	args[0] = paws_spi_array(subjects, NULL, nheads, INT8OID);
	args[1] = paws_spi_array(doc_ids, NULL, nheads, UUIDOID);
	found = (int) paws_store_run(store, PAWS_STORE_READ_HEADS, args, NULL);
	for (int row = 0; row < found; row++)
	{
		PawsHead *head = &heads[paws_spi_int64(row, 1) - 1];

		head->stored = true;
		head->revision = paws_spi_int64(row, 2);
		head->collection = paws_spi_int16(row, 3);
		head->deleted = paws_spi_bool(row, 4);
	}
	return nheads;
}

static void
conclude(PawsChange *change, PawsOutcome outcome, PawsReason reason, int64 revision)
{
	change->outcome = outcome;
	change->reason = reason;
	change->revision = revision;
}

static void
make_head(PawsHead *head, PawsChange *change)
{
	head->revision++;
	head->collection = change->collection;
	head->deleted = change->deleted;
	head->change = change;
	conclude(change, PAWS_OUTCOME_APPLIED, change->mark, head->revision);
}

/* A change whose base is behind the head, by the policy of its collection. */
static void
decide_stale(PawsHead *head, PawsChange *change)
{
	switch (change->on_conflict)
	{
		case PAWS_CONFLICT_SERVER_ORDER:
			make_head(head, change);
			break;
		case PAWS_CONFLICT_BRANCH:
			conclude(change, PAWS_OUTCOME_CONFLICT, PAWS_REASON_STALE_REVISION, head->revision);
			break;
		case PAWS_CONFLICT_APPEND:
			conclude(change, PAWS_OUTCOME_REJECTED, PAWS_REASON_APPEND_ONLY, head->revision);
			break;
	}
}

static void
decide(PawsHead *head, PawsChange *change)
{
	bool exists = head->revision > 0;

	if (change->refused != PAWS_REASON_NONE)
		conclude(change, PAWS_OUTCOME_REJECTED, change->refused, head->revision);
	else if (exists && head->collection != change->collection)
		conclude(change, PAWS_OUTCOME_REJECTED, PAWS_REASON_WRONG_COLLECTION, head->revision);
	else if (change->base_revision > head->revision)
		conclude(change, PAWS_OUTCOME_REJECTED, PAWS_REASON_FUTURE_REVISION, head->revision);
	else if (change->base_revision < head->revision)
		decide_stale(head, change);
	else if (exists && change->on_conflict == PAWS_CONFLICT_APPEND && !change->deleted)
		conclude(change, PAWS_OUTCOME_REJECTED, PAWS_REASON_APPEND_ONLY, head->revision);
	else
		make_head(head, change);
}

/* It was waited for, so nobody has it: there is none. */
static void
refuse_forgotten(void)
{
	ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					errmsg("subject was forgotten by another transaction"),
					errhint("The transaction might succeed if retried.")));
}

void
paws_store_apply(PawsStore *store, PawsChange *changes, int count, bool wait)
{
	PawsBatch batch = {.changes = changes, .count = count};
	TimestampTz now;

	if (count == 0)
		return;
	batch.counters = palloc(count * sizeof(PawsCounter));
	batch.heads = palloc(count * sizeof(PawsHead));
	batch.ncounters = lock_counters(store, changes, count, wait, batch.counters);
	now =
		GetCurrentTimestamp(); /* under the locks, so that times follow positions, as far as they are told */
	/* each statement below has a snapshot of its own, taken under the locks */
	find_repeats(store, changes, count);
	batch.nheads = read_heads(store, changes, count, batch.heads);
	for (int i = 0; i < count; i++)
	{
		PawsChange *change = &changes[i];
		PawsCounter *counter = counter_of(batch.counters, batch.ncounters, change->subject_no);
		PawsHead wanted = {.subject_no = change->subject_no, .doc_id = change->doc_id};

		change->skipped = counter == NULL;
		if (change->skipped && wait)
			refuse_forgotten();
		if (change->skipped || change->repeated)
			continue;
		decide(bsearch(&wanted, batch.heads, batch.nheads, sizeof(PawsHead), compare_heads), change);
		change->position = ++counter->position;
		change->finished_at = paws_manifest_time(store->done, change->tier, now);
	}
	paws_store_write(store, &batch);
}
