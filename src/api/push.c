/*
 * api/push.c - push, push_many and push_crisis: read, sort out, crisis first, then the rest.
 */
#include "postgres.h"

#include "access/xact.h"
#include "api/answer.h"
#include "api/promote.h"
#include "base/database.h"
#include "base/errors.h"
#include "base/settings.h"
#include "base/spi.h"
#include "control/rows.h"
#include "crisis/crisis.h"
#include "crisis/outcome.h"
#include "guard/mint.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "vault/vault.h"

PG_FUNCTION_INFO_V1(paws_push);
PG_FUNCTION_INFO_V1(paws_push_many);
PG_FUNCTION_INFO_V1(paws_push_crisis);

/* Collection, class and lane of each item; what the registry does not know is rejected. */
static void
resolve_collections(PawsPush *push)
{
	for (int i = 0; i < push->count; i++)
	{
		PawsItem *item = &push->items[i];
		const PawsCollection *collection;

		if (item->outcome)
			continue;
		collection = paws_registry_collection(item->collection_name, item->collection_length);
		if (collection == NULL)
		{
			paws_item_reject(item, PAWS_REASON_UNKNOWN_COLLECTION);
			continue;
		}
		item->collection = collection->no;
		item->klass = collection->klass;
		item->on_conflict = collection->on_conflict;
		item->sealing = collection->sealing;
		item->compressible = collection->compressible;
	}
}

static int
compare_op_ids(const void *a, const void *b)
{
	const PawsItem *x = *(PawsItem *const *) a;
	const PawsItem *y = *(PawsItem *const *) b;
	int order = memcmp(&x->op_id, &y->op_id, UUID_LEN);

	/* the items are in one array, so their addresses tell which came first */
	return order ? order : (x > y) - (x < y);
}

/* The second and later uses of an op_id in one call. */
static void
reject_repeats_in_call(PawsPush *push)
{
	PawsItem **sorted = palloc(Max(push->count, 1) * sizeof(PawsItem *));
	int n = 0;

	for (int i = 0; i < push->count; i++)
		if (push->items[i].outcome == 0)
			sorted[n++] = &push->items[i];
	qsort(sorted, n, sizeof(PawsItem *), compare_op_ids);
	for (int i = 1; i < n; i++)
		if (memcmp(&sorted[i - 1]->op_id, &sorted[i]->op_id, UUID_LEN) == 0)
			paws_item_reject(sorted[i], PAWS_REASON_DUPLICATE_IN_CALL);
}

static void
to_change(const PawsPush *push, const PawsItem *item, PawsChange *change)
{
	memset(change, 0, sizeof(*change));
	change->device_no = push->device.device_no;
	change->subject_no = push->device.subject_no;
	change->op_id = item->op_id;
	change->doc_id = item->doc_id;
	change->collection = item->collection;
	change->on_conflict = item->on_conflict;
	change->base_revision = item->base_revision;
	change->deleted = item->deleted;
	change->envelope = paws_push_seal(push, item, NULL);
	/* taken from a revoked device all the same, and marked for whoever reads it */
	change->mark = push->device.revoked ? PAWS_REASON_DEVICE_REVOKED : PAWS_REASON_NONE;
}

/* The receipt is there at once, so it is told at once. */
static void
answer_crisis(PawsPush *push, PawsItem *item, const PawsChange *change)
{
	/* one that is queued has no receipt yet: outcome 0 */
	item->outcome = change->repeated ? PAWS_OUTCOME_DUPLICATE : PAWS_OUTCOME_ACCEPTED;
	item->receipt = change->outcome;
	item->reason = change->reason;
	item->revision = change->revision;
	item->level = item->klass == PAWS_CLASS_EMERGENCY ? PAWS_LEVEL_MAX : PAWS_LEVEL_MAX - 1;
	if (!change->repeated)
		paws_outcome_latency_at_commit(push->slot, item->klass, push->started_at);
}

/* The well-formed items of the crisis lane; how many. */
static int
take_crisis_items(PawsPush *push, PawsItem **items)
{
	int n = 0;

	for (int i = 0; i < push->count; i++)
	{
		PawsItem *item = &push->items[i];

		if (item->outcome || paws_class_lane(item->klass) != PAWS_LANE_CRISIS)
			continue;
		if (item->payload_length > (Size) paws_crisis_max_payload * 1024)
		{
			paws_item_reject(item, PAWS_REASON_TOO_LARGE);
			paws_outcome_refused(push->slot, PAWS_REFUSAL_TOO_LARGE, 1);
			continue;
		}
		items[n++] = item;
	}
	return n;
}

static void
apply_crisis_items(PawsPush *push, PawsItem **items, int count)
{
	PawsChange *changes = palloc(count * sizeof(PawsChange));

	for (int i = 0; i < count; i++)
		to_change(push, items[i], &changes[i]);
	paws_crisis_apply(push->slot, changes, count);
	for (int i = 0; i < count; i++)
		answer_crisis(push, items[i], &changes[i]);
	paws_outcome_taken(push->slot, count);
	paws_vault_seal_ahead_at_commit();
}

/* Whatever keeps them from being taken is counted, and passes on. */
int
paws_push_crisis_items(PawsPush *push)
{
	PawsItem **items = palloc(Max(push->count, 1) * sizeof(PawsItem *));
	int count = take_crisis_items(push, items);

	if (count == 0)
		return 0;
	paws_outcome_attempt(push->slot, count);
	PG_TRY();
	{
		apply_crisis_items(push, items, count);
	}
	PG_CATCH();
	{
		paws_outcome_refused(push->slot, paws_refusal_of(geterrcode()), count);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return count;
}

/* A revoked device, and one beyond its tier's number of devices, is served in the crisis lane alone. */
static void
refuse_ordinary(PawsPush *push, PawsReason reason)
{
	for (int i = 0; i < push->count; i++)
		if (push->items[i].outcome == 0 && paws_class_lane(push->items[i].klass) == PAWS_LANE_ORDINARY)
			paws_item_reject(&push->items[i], reason);
}

static bool
has_crisis_items(const PawsPush *push)
{
	for (int i = 0; i < push->count; i++)
		if (push->items[i].klass && paws_class_lane(push->items[i].klass) == PAWS_LANE_CRISIS)
			return true;
	return false;
}

/* There may be room by now. With crisis items in the call nothing ordinary is asked before them. */
static bool
is_crisis_only(PawsPush *push, const PawsToken *device, bool mixed)
{
	if (push->device.crisis_only && !mixed && paws_device_promote(push->device.subject_no))
		paws_registry_device(device, &push->device);
	return push->device.crisis_only;
}

static void
carry_out(PawsPush *push, const PawsToken *device)
{
	bool mixed;

	paws_spi_begin();
	paws_registry_device(device, &push->device);
	resolve_collections(push);
	reject_repeats_in_call(push);
	mixed = has_crisis_items(push);
	if (!mixed)
	{
		paws_crisis_give_back_time(&push->time);
		paws_vault_require(PAWS_ROOT_CARE);
	}
	if (push->device.revoked)
		refuse_ordinary(push, PAWS_REASON_DEVICE_REVOKED);
	else if (is_crisis_only(push, device, mixed))
		refuse_ordinary(push, PAWS_REASON_CRISIS_ONLY);
	if (mixed)
		paws_push_limit_unsealable(push);
	if (paws_push_crisis_items(push) > 0)
		paws_push_ordinary_items_guarded(push);
	else
		paws_push_ordinary_items(push);
	paws_spi_end();
}

/* Of the ordinary lane nothing is asked, not even whether the device has it. */
static void
carry_out_crisis(PawsPush *push, const PawsToken *device)
{
	paws_spi_begin();
	paws_registry_device(device, &push->device);
	resolve_collections(push);
	refuse_ordinary(push, PAWS_REASON_NOT_CRISIS);
	reject_repeats_in_call(push);
	(void) paws_push_crisis_items(push);
	paws_spi_end();
}

static void
return_answers(FunctionCallInfo fcinfo, const PawsPush *push)
{
	PawsRows rows;

	paws_rows_begin(&rows, fcinfo);
	for (int i = 0; i < push->count; i++)
	{
		PawsItem *item = &push->items[i];

		if (item->has_op_id)
			paws_row_datum(&rows, UUIDPGetDatum(&item->op_id));
		else
			paws_row_null(&rows);
		paws_row_label(&rows, paws_outcome_name(item->outcome));
		if (item->revision > 0)
			paws_row_datum(&rows, Int64GetDatum(item->revision));
		else
			paws_row_null(&rows);
		if (item->level > 0)
			paws_row_datum(&rows, Int16GetDatum(item->level));
		else
			paws_row_null(&rows);
		if (item->retry_after > 0)
			paws_row_interval(&rows, item->retry_after);
		else
			paws_row_null(&rows);
		paws_row_text(&rows, paws_reason_name(item->reason));
		paws_row_label(&rows, item->receipt ? paws_outcome_name(item->receipt) : NULL);
		paws_row_datum(&rows, Int32GetDatum(i + 1));
		paws_row_end(&rows);
	}
}

static void
refuse_null(FunctionCallInfo fcinfo, int argument)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("operations must not be null"),
						errhint("Pass an empty array to push nothing.")));
}

static Datum
push_json(FunctionCallInfo fcinfo, void (*run)(PawsPush *push, const PawsToken *device))
{
	const PawsToken *device = paws_token_argument_crisis(fcinfo, 0, PAWS_TOKEN_DEVICE);
	PawsPush push = {.started_at = GetCurrentTimestamp(), .time = paws_crisis_take_time()};

	refuse_null(fcinfo, 1);
	push.slot = paws_database_slot();
	push.items = paws_items_from_json(PG_GETARG_JSONB_P(1), &push.count);
	run(&push, device);
	paws_crisis_end_time(&push.time);
	return_answers(fcinfo, &push);
	return (Datum) 0;
}

Datum
paws_push(PG_FUNCTION_ARGS)
{
	return push_json(fcinfo, carry_out);
}

Datum
paws_push_crisis(PG_FUNCTION_ARGS)
{
	return push_json(fcinfo, carry_out_crisis);
}

Datum
paws_push_many(PG_FUNCTION_ARGS)
{
	const PawsToken *device = paws_token_argument_crisis(fcinfo, 0, PAWS_TOKEN_DEVICE);
	PawsPush push = {.started_at = GetCurrentTimestamp(), .time = paws_crisis_take_time()};
	PawsItemColumns columns;

	for (int i = 1; i <= 5; i++)
		refuse_null(fcinfo, i);
	push.slot = paws_database_slot();
	columns = (PawsItemColumns){
		.op_ids = PG_GETARG_ARRAYTYPE_P(1),
		.collections = PG_GETARG_ARRAYTYPE_P(2),
		.doc_ids = PG_GETARG_ARRAYTYPE_P(3),
		.base_revisions = PG_GETARG_ARRAYTYPE_P(4),
		.payloads = PG_GETARG_ARRAYTYPE_P(5),
		.deleted = PG_ARGISNULL(6) ? NULL : PG_GETARG_ARRAYTYPE_P(6),
	};
	push.items = paws_items_from_columns(&columns, &push.count);
	carry_out(&push, device);
	paws_crisis_end_time(&push.time);
	return_answers(fcinfo, &push);
	return (Datum) 0;
}
