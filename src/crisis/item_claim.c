/*
 * crisis/item_claim.c - handing items out.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/commit.h"
#include "base/spi.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "crisis/attention.h"
#include "crisis/item_private.h"
#include "miscadmin.h"
#include "registry/registry.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* Fences rise by up to so much: what one was is no clue to the next. */
#define FENCE_STEP_MAX (1 << 20)

/* One that does not open is looked at again after so long. */
#define UNREADABLE_DELAY (INT64CONST(60) * 1000000)

/* A claim that ran out counts as an attempt. */
static PawsStatement claim = {
	.sql =
		"UPDATE paws_crisis.item i SET fence = i.fence OPERATOR(pg_catalog.+) $3, claimed_at = $7, "
		"claimed_until = $4, attempts = LEAST(i.attempts OPERATOR(pg_catalog.+) "
		"(i.claimed_until IS NOT NULL)::pg_catalog.int4, 32767)::pg_catalog.int2, "
		"reason = CASE WHEN i.claimed_until IS NULL THEN i.reason ELSE 6::pg_catalog.int2 END "
		"FROM (SELECT id FROM paws_crisis.item WHERE topic::pg_catalog.text OPERATOR(pg_catalog.=) ANY ($5) "
		"AND state OPERATOR(pg_catalog.=) 2 AND " PAWS_ITEM_FREE
		" AND (available_at IS NULL OR available_at OPERATOR(pg_catalog.<=) $1) "
		"ORDER BY level DESC, id DESC LIMIT $6 FOR UPDATE SKIP LOCKED) p "
		"WHERE i.id OPERATOR(pg_catalog.=) p.id "
		"RETURNING i.id, i.fence, i.topic::pg_catalog.text, i.level, i.class, i.attempts, i.subject_no, "
		"i.submitted_at, i.signal_id, i.seal, i.envelope",
	.nargs = 7,
	.types = {TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID, TEXTARRAYOID, INT8OID, TIMESTAMPTZOID},
};

/* What waits or runs, of any topic. */
static PawsStatement any_open = {
	.sql = "SELECT 1 FROM paws_crisis.item WHERE state OPERATOR(pg_catalog.=) 2 LIMIT 1",
	.latest = true,
};

static PawsStatement find_signal = {
	.sql = "SELECT source, severity FROM paws_crisis.signal WHERE signal_id OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.types = {UUIDOID},
};

static PawsStatement spoil = {
	.sql =
		"UPDATE paws_crisis.item SET claimed_at = NULL, claimed_until = NULL, available_at = $2, reason = 7 "
		"WHERE id OPERATOR(pg_catalog.=) $1",
	.nargs = 2,
	.types = {INT8OID, TIMESTAMPTZOID},
};

/* A claimed row, copied out of SPI's memory. */
typedef struct Row
{
	PawsClaimedItem item;
	int64 subject_no;
	bool of_signal;
	pg_uuid_t signal;
	bool sealed;
	uint8 seal[PAWS_SEAL_BYTES];
	bytea *envelope;
} Row;

static void
read_row(uint64 n, Row *row)
{
	PawsClaimedItem *item = &row->item;
	bytea *seal = paws_spi_bytea(n, 10);
	bool isnull;
	Datum signal = paws_spi_column(n, 9, &isnull);

	memset(row, 0, sizeof(*row));
	item->id = paws_spi_int64(n, 1);
	item->fence = paws_spi_int64(n, 2);
	paws_item_copy_topic(item->topic, n, 3);
	item->level = paws_spi_int16(n, 4);
	item->klass = (PawsClass) paws_spi_int16(n, 5);
	item->attempt = paws_spi_int16(n, 6) + 1;
	row->subject_no = paws_spi_int64(n, 7);
	item->submitted_at = paws_spi_int64(n, 8);
	row->of_signal = !isnull;
	if (row->of_signal)
		memcpy(&row->signal, DatumGetUUIDP(signal), UUID_LEN);
	row->sealed = seal != NULL;
	if (row->sealed)
		memcpy(row->seal, VARDATA(seal), PAWS_SEAL_BYTES);
	row->envelope = paws_spi_bytea(n, 11);
}

/* Most urgent first, and then in the order in which they came. */
static int
compare_rows(const void *a, const void *b)
{
	const PawsClaimedItem *x = &((const Row *) a)->item;
	const PawsClaimedItem *y = &((const Row *) b)->item;

	if (x->level != y->level)
		return x->level > y->level ? -1 : 1;
	return (x->id < y->id) - (x->id > y->id);
}

static bytea *
bytes_of(const char *text)
{
	Size length = strlen(text);
	bytea *bytes = paws_spi_alloc(VARHDRSZ + length);

	SET_VARSIZE(bytes, VARHDRSZ + length);
	memcpy(VARDATA(bytes), text, length);
	return bytes;
}

/* Codes and an id: what a responder's program needs to know. */
static bytea *
describe_signal(const pg_uuid_t *signal)
{
	Datum args[1] = {UUIDPGetDatum(signal)};
	char *id = DatumGetCString(DirectFunctionCall1(uuid_out, args[0]));

	if (paws_spi_run(&find_signal, args, NULL, 1) == 0)
		return bytes_of(psprintf("{\"signal\": \"%s\"}", id));
	return bytes_of(psprintf("{\"signal\": \"%s\", \"source\": \"%s\", \"severity\": \"%s\"}", id,
							 paws_source_name((PawsSource) paws_spi_int16(0, 1)),
							 paws_severity_name((PawsSeverity) paws_spi_int16(0, 2))));
}

/* NULL if it does not open, or was not written by this lane. */
static bytea *
open_payload(const Row *row)
{
	const PawsClaimedItem *item = &row->item;
	PawsItemSeal seal;
	bytea *payload;
	bytea *copy;

	if (row->envelope == NULL || !paws_vault_can_open(PAWS_KEYS_CRISIS, row->envelope))
		return NULL;
	paws_item_seal_context(&seal, item->id, item->topic, strlen(item->topic),
						   item->has_subject ? item->subject.id : NULL);
	if (!paws_vault_revision_check(PAWS_KEYS_CRISIS, row->envelope, row->subject_no, seal.doc_id, 0,
								   row->sealed ? row->seal : NULL))
		return NULL;
	payload = paws_vault_open_or_null(PAWS_KEYS_CRISIS, row->subject_no, &seal.context, row->envelope);
	if (payload == NULL)
		return NULL;
	copy = paws_spi_alloc(VARSIZE(payload));
	memcpy(copy, payload, VARSIZE(payload));
	return copy;
}

/* False if it is not to be had: then it is put off. */
static bool
fill(Row *row)
{
	PawsClaimedItem *item = &row->item;

	if (row->subject_no != 0)
		item->has_subject = paws_registry_subject_token(row->subject_no, &item->subject);
	if (row->subject_no != 0 && !item->has_subject)
		return false;
	item->payload = row->of_signal ? describe_signal(&row->signal) : open_payload(row);
	return item->payload != NULL;
}

static void
put_off(const Row *row, TimestampTz now)
{
	Datum args[2] = {Int64GetDatum(row->item.id), TimestampTzGetDatum(paws_item_end(now + UNREADABLE_DELAY))};

	paws_spi_run(&spoil, args, NULL, 0);
}

/* So that whoever claims next need not look. What this transaction wrote may be rolled back: it cannot tell.
 */
static void
note_none(int slot, uint64 seen)
{
	if (!TransactionIdIsValid(GetTopTransactionIdIfAny()) && paws_spi_run(&any_open, NULL, NULL, 1) == 0)
		paws_items_none(slot, seen);
}

static int
take(Datum topics, int max, TimestampTz now, TimestampTz until, Row **rows)
{
	Datum args[7] = {TimestampTzGetDatum(now),
					 TimestampTzGetDatum(now + PAWS_ITEM_CLOCK_TOLERANCE),
					 Int64GetDatum(1 + (int64) (pg_prng_uint32(&pg_global_prng_state) % FENCE_STEP_MAX)),
					 TimestampTzGetDatum(until),
					 topics,
					 Int64GetDatum(max),
					 TimestampTzGetDatum(paws_item_time(now))};
	int count = (int) paws_spi_run(&claim, args, NULL, 0);

	*rows = palloc(Max(count, 1) * sizeof(Row));
	for (int i = 0; i < count; i++)
		read_row(i, &(*rows)[i]);
	qsort(*rows, count, sizeof(Row), compare_rows);
	return count;
}

int
paws_items_claim(int slot, Datum topics, int max, int64 lease, PawsClaimedItem **items)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz until = paws_item_end(now + (lease > 0 ? lease : PAWS_ITEM_LEASE));
	uint64 seen;
	Row *rows;
	int count;
	int filled = 0;

	if (!paws_items_maybe(slot, &seen))
		return 0;
	PreventCommandIfReadOnly("claim()");
	count = take(topics, max, now, until, &rows);
	if (count > 0)
		paws_items_at_abort(slot);
	*items = palloc(Max(count, 1) * sizeof(PawsClaimedItem));
	if (count == 0)
		note_none(slot, seen);
	else
		paws_commit_of_crisis();
	for (int i = 0; i < count; i++)
	{
		rows[i].item.claimed_until = until;
		if (fill(&rows[i]))
			(*items)[filled++] = rows[i].item;
		else
			put_off(&rows[i], now);
	}
	return filled;
}
