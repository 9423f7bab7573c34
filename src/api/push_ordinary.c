/*
 * api/push_ordinary.c - the ordinary items of a push: sizes, duplicates, limits, the queue.
 */
#include "postgres.h"

#include "api/answer.h"
#include "base/guarded.h"
#include "base/spi.h"
#include "care/care.h"
#include "control/latency.h"
#include "guard/codes.h"
#include "queue/admission.h"
#include "queue/policy.h"
#include "queue/queue.h"
#include "vault/vault.h"

#define RETRY_WHEN_BUSY_US    1000000
#define RETRY_WITHOUT_KEYS_US 60000000 /* somebody has to restart the server */

/* The ordinary items that are still open, in order. */
typedef struct OpenItems
{
	PawsItem **items;
	int count;
} OpenItems;

static void
collect_open(PawsPush *push, OpenItems *open)
{
	int n = 0;

	open->items = palloc(Max(push->count, 1) * sizeof(PawsItem *));
	for (int i = 0; i < push->count; i++)
		if (push->items[i].outcome == 0 && paws_class_lane(push->items[i].klass) == PAWS_LANE_ORDINARY)
			open->items[n++] = &push->items[i];
	open->count = n;
}

/* Drops what has an answer by now. */
static void
keep_open(OpenItems *open)
{
	int n = 0;

	for (int i = 0; i < open->count; i++)
		if (open->items[i]->outcome == 0)
			open->items[n++] = open->items[i];
	open->count = n;
}

static bool
any_too_large(const OpenItems *open, const PawsTierPolicy *limits)
{
	for (int i = 0; i < open->count; i++)
		if (open->items[i]->payload_length > (Size) limits->max_payload)
			return true;
	return false;
}

static void
reject_too_large(OpenItems *open, const PawsTierPolicy *limits)
{
	for (int i = 0; i < open->count; i++)
		if (open->items[i]->payload_length > (Size) limits->max_payload)
			paws_item_reject(open->items[i], PAWS_REASON_TOO_LARGE);
	keep_open(open);
}

/* Tells those that have a receipt. */
static void
tell_receipts(PawsPush *push, PawsItem **items, int count)
{
	PawsReceipt *receipts = palloc0(Max(count, 1) * sizeof(PawsReceipt));

	for (int i = 0; i < count; i++)
		receipts[i].op_id = items[i]->op_id;
	paws_care_receipts(push->device.device_no, receipts, count);
	for (int i = 0; i < count; i++)
	{
		if (receipts[i].outcome == 0)
			continue;
		items[i]->outcome = PAWS_OUTCOME_DUPLICATE;
		items[i]->receipt = receipts[i].outcome;
		items[i]->reason = receipts[i].reason;
		items[i]->revision = receipts[i].revision;
		items[i]->retry_after = 0;
	}
}

/*
 * What the rate refused may have been taken already and wait in the queue: then it is known, not limited.
 * (What the rate admits finds that out when it is put.) Applied since the receipts were read, it is in
 * neither look; so these are read again.
 */
static void
answer_waiting(PawsPush *push, PawsItem **refused, int count)
{
	pg_uuid_t *doc_ids = palloc(Max(count, 1) * sizeof(pg_uuid_t));
	pg_uuid_t *op_ids = palloc(Max(count, 1) * sizeof(pg_uuid_t));
	bool *waiting = palloc(Max(count, 1) * sizeof(bool));

	if (count == 0)
		return;
	for (int i = 0; i < count; i++)
	{
		doc_ids[i] = refused[i]->doc_id;
		op_ids[i] = refused[i]->op_id;
	}
	paws_queue_find(push->device.subject_no, push->device.device_no, doc_ids, op_ids, count, waiting);
	for (int i = 0; i < count; i++)
	{
		if (!waiting[i])
			continue;
		refused[i]->outcome = PAWS_OUTCOME_DUPLICATE;
		refused[i]->reason = PAWS_REASON_NONE;
		refused[i]->retry_after = 0;
	}
	tell_receipts(push, refused, count);
}

static void
ask_admission(PawsPush *push, OpenItems *open, PawsTier tier)
{
	PawsAsk *asks = palloc0(Max(open->count, 1) * sizeof(PawsAsk));
	PawsItem **refused = palloc(Max(open->count, 1) * sizeof(PawsItem *));
	int nrefused = 0;

	for (int i = 0; i < open->count; i++)
	{
		asks[i].klass = open->items[i]->klass;
		asks[i].bytes = (int64) open->items[i]->payload_length;
	}
	paws_admission_push(push->slot, push->device.subject_no, tier, asks, open->count);
	for (int i = 0; i < open->count; i++)
	{
		if (asks[i].admitted)
			continue;
		open->items[i]->outcome = PAWS_OUTCOME_LIMITED;
		open->items[i]->reason = asks[i].reason;
		open->items[i]->retry_after = asks[i].retry_after;
		refused[nrefused++] = open->items[i];
	}
	keep_open(open);
	answer_waiting(push, refused, nrefused);
}

static void
to_operation(const PawsPush *push, PawsItem *item, PawsTier tier, const PawsTierPolicy *limits,
			 PawsOperation *operation)
{
	const PawsPolicy *policy = paws_policy(item->klass, tier);

	memset(operation, 0, sizeof(*operation));
	operation->level = item->level = policy->level;
	operation->target_ms = policy->target_ms;
	operation->klass = item->klass;
	operation->tier = tier;
	operation->subject_no = push->device.subject_no;
	operation->device_no = push->device.device_no;
	operation->collection = item->collection;
	operation->op_id = item->op_id;
	operation->doc_id = item->doc_id;
	operation->base_revision = item->base_revision;
	operation->deleted = item->deleted;
	operation->enqueued_at = push->started_at;
	operation->envelope = paws_push_seal(push, item, limits);
}

static void
enqueue(PawsPush *push, OpenItems *open, PawsOperation *operations)
{
	paws_queue_put(push->slot, operations, open->count);
	for (int i = 0; i < open->count; i++)
		open->items[i]->outcome = operations[i].id ? PAWS_OUTCOME_ACCEPTED : PAWS_OUTCOME_DUPLICATE;
}

/* What is applied by now has its answer, and only the others are left. */
static void
answer_applied(PawsPush *push, OpenItems *open, PawsOperation *operations, const PawsApplied *applied)
{
	PawsItem **repeated = palloc(Max(open->count, 1) * sizeof(PawsItem *));
	int nrepeated = 0;
	int left = 0;

	for (int i = 0; i < open->count; i++)
		switch (applied[i])
		{
			case PAWS_APPLIED_DONE:
				open->items[i]->outcome = PAWS_OUTCOME_ACCEPTED;
				paws_latency_at_commit(push->slot, operations[i].klass, operations[i].tier, push->started_at,
									   operations[i].target_ms);
				break;
			case PAWS_APPLIED_REPEATED:
				repeated[nrepeated++] = open->items[i];
				break;
			case PAWS_APPLIED_LATER:
				operations[left] = operations[i];
				open->items[left++] = open->items[i];
				break;
		}
	open->count = left;
	if (nrepeated > 0)
		tell_receipts(push, repeated, nrepeated);
}

/* Those that were not looked at in the first place. */
static void
answer_finished(PawsPush *push, OpenItems *open, PawsOperation *operations)
{
	int left = 0;

	tell_receipts(push, open->items, open->count);
	for (int i = 0; i < open->count; i++)
		if (open->items[i]->outcome == 0)
			operations[left++] = operations[i];
	keep_open(open);
}

/* Applied here and now where that is right, else queued. `all_told`: of all of them it is known that they
 * have no receipt. */
static void
take(PawsPush *push, OpenItems *open, PawsTier tier, const PawsTierPolicy *limits, bool all_told)
{
	PawsOperation *operations = palloc(Max(open->count, 1) * sizeof(PawsOperation));
	PawsApplied *applied = palloc(Max(open->count, 1) * sizeof(PawsApplied));

	for (int i = 0; i < open->count; i++)
		to_operation(push, open->items[i], tier, limits, &operations[i]);
	if (!push->mixed && paws_care_apply_at_once(push->slot, operations, open->count, applied) > 0)
		answer_applied(push, open, operations, applied);
	if (!all_told && open->count > 0)
		answer_finished(push, open, operations);
	enqueue(push, open, operations);
}

/*
 * Whoever sends a set a second time sends all of it: of a set of new documents the first one's receipt says
 * for all whether they have some, most likely. Where it does not, that shows when they are applied. False if
 * only the first was looked at.
 */
static bool
tell_finished(PawsPush *push, OpenItems *open)
{
	bool told = push->mixed;

	for (int i = 0; i < open->count; i++)
		told = told || open->items[i]->base_revision != 0 || open->items[i]->deleted;
	if (!told)
	{
		tell_receipts(push, open->items, 1);
		told = open->items[0]->outcome != 0 || open->count == 1;
		if (told)
			tell_receipts(push, open->items + 1, open->count - 1);
	}
	else
		tell_receipts(push, open->items, open->count);
	keep_open(open);
	return told;
}

void
paws_push_ordinary_items(PawsPush *push)
{
	OpenItems open;
	PawsTier tier;
	const PawsTierPolicy *limits;
	bool told;

	collect_open(push, &open);
	if (open.count == 0)
		return;
	told = tell_finished(push, &open);
	tier = paws_care_tier(push->device.subject_no);
	limits = paws_tier_policy(tier);
	/* what was taken under another tier is told as what it became */
	if (!told && any_too_large(&open, limits))
	{
		tell_receipts(push, open.items, open.count);
		keep_open(&open);
		told = true;
	}
	reject_too_large(&open, limits);
	ask_admission(push, &open, tier);
	take(push, &open, tier, limits, told);
}

/* Not taken, and nothing is known of it; the device tries it again. */
static void
answer_limited(OpenItems *open, PawsReason reason, int64 retry_after)
{
	for (int i = 0; i < open->count; i++)
	{
		PawsItem *item = open->items[i];

		item->outcome = PAWS_OUTCOME_LIMITED;
		item->reason = reason;
		item->retry_after = retry_after;
		item->revision = 0;
		item->level = 0;
		item->receipt = 0;
	}
}

static void
run_ordinary(void *arg)
{
	paws_push_ordinary_items(arg);
}

/* Whatever the ordinary lane's trouble is, the crisis items go on to their commit. */
static bool
forgive_all(int sqlstate)
{
	return true;
}

/* An answer given in a subtransaction that then fails was about state that is gone; so all items that were
 * open before are answered anew. */
void
paws_push_ordinary_items_guarded(PawsPush *push)
{
	OpenItems open;

	collect_open(push, &open);
	push->mixed = true;
	if (open.count > 0 && !paws_run_guarded(run_ordinary, push, forgive_all))
		answer_limited(&open, PAWS_REASON_BUSY, RETRY_WHEN_BUSY_US);
}

/* Deletions too, though they are not sealed: else one would overtake a change of the same document. */
void
paws_push_limit_unsealable(PawsPush *push)
{
	OpenItems open;
	int n = 0;

	collect_open(push, &open);
	for (int i = 0; i < open.count; i++)
		if (!paws_push_can_seal(open.items[i]))
			open.items[n++] = open.items[i];
	open.count = n;
	answer_limited(&open, PAWS_REASON_KEYS_UNAVAILABLE, RETRY_WITHOUT_KEYS_US);
}
