/*
 * store/store.c - applying changes, in four steps: lock the subjects, read what is there, decide in memory,
 * write by sets.
 */
#include "postgres.h"

#include "base/table.h"
#include "store/store.h"
#include "store/store_private.h"
#include "utils/timestamp.h"

PawsCounter *
paws_store_counter(const PawsBatch *batch, int64 subject_no)
{
	return bsearch(&subject_no, batch->counters, batch->ncounters, sizeof(PawsCounter),
				   paws_store_compare_subjects);
}

/* Operations that have a receipt are repeats: they take its answer and are not applied again. */
static void
take_receipt(PawsScan *feed, PawsChange *change)
{
	change->repeated = true;
	change->outcome = (PawsOutcome) paws_scan_int16(feed, FEED_OUTCOME);
	change->reason = (PawsReason) paws_scan_int16(feed, FEED_REASON);
	change->revision = paws_scan_int64(feed, FEED_REVISION);
	change->position = paws_scan_int64(feed, FEED_POSITION);
}

static void
find_repeats(PawsStore *store, PawsBatch *batch)
{
	PawsKey keys[2] = {{1, BTEqualStrategyNumber, Int64GetDatum(0)},
					   {2, BTEqualStrategyNumber, UUIDPGetDatum(&batch->changes[0].op_id)}};
	PawsScan feed;

	paws_scan_begin(&feed, paws_store_table(store, PAWS_TABLE_FEED), 0, batch->snapshot, keys, 2);
	for (int i = 0; i < batch->count; i++)
	{
		PawsChange *change = &batch->changes[i];
		Datum values[2] = {Int64GetDatum(change->device_no), UUIDPGetDatum(&change->op_id)};

		if (change->skipped)
			continue;
		paws_scan_again(&feed, values);
		if (paws_scan_next(&feed))
			take_receipt(&feed, change);
	}
	paws_scan_end(&feed);
}

static int
compare_heads(const void *a, const void *b)
{
	const PawsHead *x = a;
	const PawsHead *y = b;
	int by_subject = paws_store_compare_subjects(&x->subject_no, &y->subject_no);

	return by_subject ? by_subject : memcmp(&x->doc_id, &y->doc_id, UUID_LEN);
}

/* The documents of what is to be applied, each once, in order. */
static void
collect_heads(PawsBatch *batch)
{
	PawsHead *heads = batch->heads;
	int n = 0;

	for (int i = 0; i < batch->count; i++)
	{
		const PawsChange *change = &batch->changes[i];

		if (!change->skipped && !change->repeated)
			heads[n++] = (PawsHead){.subject_no = change->subject_no, .doc_id = change->doc_id};
	}
	qsort(heads, n, sizeof(PawsHead), compare_heads);
	batch->nheads = 0;
	for (int i = 0; i < n; i++)
		if (batch->nheads == 0 || compare_heads(&heads[batch->nheads - 1], &heads[i]) != 0)
			heads[batch->nheads++] = heads[i];
}

/* Revision 0 stands for a document that does not exist. */
static void
read_heads(PawsStore *store, PawsBatch *batch)
{
	PawsKey keys[2] = {{1, BTEqualStrategyNumber, Int64GetDatum(0)},
					   {2, BTEqualStrategyNumber, UUIDPGetDatum(&batch->changes[0].doc_id)}};
	PawsScan document;

	paws_scan_begin(&document, paws_store_table(store, PAWS_TABLE_DOCUMENT), 0, batch->snapshot, keys, 2);
	for (int i = 0; i < batch->nheads; i++)
	{
		PawsHead *head = &batch->heads[i];
		Datum values[2] = {Int64GetDatum(head->subject_no), UUIDPGetDatum(&head->doc_id)};

		paws_scan_again(&document, values);
		if (!paws_scan_next(&document))
			continue;
		head->stored = true;
		head->place = *paws_scan_place(&document);
		head->revision = paws_scan_int64(&document, DOCUMENT_REVISION);
		head->collection = paws_scan_int16(&document, DOCUMENT_COLLECTION);
		head->deleted = paws_scan_bool(&document, DOCUMENT_DELETED);
	}
	paws_scan_end(&document);
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
paws_store_require_subject(PawsStore *store, int64 subject_no)
{
	PawsKey key = {1, BTEqualStrategyNumber, Int64GetDatum(subject_no)};
	Snapshot snapshot = paws_table_snap(true);
	PawsScan scan;
	bool there;

	paws_scan_begin(&scan, paws_store_table(store, PAWS_TABLE_COUNTER), 0, snapshot, &key, 1);
	there = paws_scan_next(&scan);
	paws_scan_end(&scan);
	paws_table_unsnap(snapshot);
	if (!there)
		refuse_forgotten();
}

/* Finds out whose counter could not be had. */
static void
mark_skipped(PawsBatch *batch, bool wait)
{
	for (int i = 0; i < batch->count; i++)
	{
		PawsChange *change = &batch->changes[i];

		change->skipped = paws_store_counter(batch, change->subject_no) == NULL;
		if (change->skipped && wait)
			refuse_forgotten();
	}
}

bool
paws_store_try_lock(PawsStore *store, bool branches)
{
	for (int i = 0; i <= PAWS_TABLE_BRANCH; i++)
	{
		PawsTable *table = paws_store_table(store, (PawsStoreTable) i);

		if ((i != PAWS_TABLE_BRANCH || branches) &&
			(!paws_table_try_lock(table, RowExclusiveLock) || paws_table_has_triggers(table)))
			return false;
	}
	return true;
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
	batch.ncounters = paws_store_reserve(store, changes, count, wait, batch.counters);
	mark_skipped(&batch, wait);
	/* under the locks, so that times follow positions, as far as they are told */
	now = GetCurrentTimestamp();
	if (paws_store_write_new(store, &batch, now))
		return;
	batch.snapshot = paws_table_snap(false);
	find_repeats(store, &batch);
	collect_heads(&batch);
	read_heads(store, &batch);
	for (int i = 0; i < count; i++)
	{
		PawsChange *change = &changes[i];
		PawsHead wanted = {.subject_no = change->subject_no, .doc_id = change->doc_id};

		if (change->skipped || change->repeated)
			continue;
		decide(bsearch(&wanted, batch.heads, batch.nheads, sizeof(PawsHead), compare_heads), change);
		change->position = ++paws_store_counter(&batch, change->subject_no)->position;
		change->finished_at = paws_manifest_time(store->done, change->tier, now);
	}
	paws_store_write(store, &batch);
	paws_table_unsnap(batch.snapshot);
}
