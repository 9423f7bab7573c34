/*
 * crisis/item.c - putting items: of signals, and those that are submitted.
 */
#include "postgres.h"

#include <sodium.h>

#include "base/errors.h"
#include "base/guarded.h"
#include "base/settings.h"
#include "base/spi.h"
#include "catalog/pg_type.h"
#include "crisis/attention.h"
#include "crisis/item_private.h"
#include "crisis/signal_audit.h"
#include "guard/manifest.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define KEY_LABEL "crisis item idempotency key"

static PawsStatement put = {
	.sql =
		"INSERT INTO paws_crisis.item (subject_no, fence, submitted_at, available_at, deadline, signal_id, "
		"key, level, class, state, topic) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 2, $10) "
		"ON CONFLICT (topic, key) WHERE key IS NOT NULL DO NOTHING RETURNING id",
	.nargs = 10,
	.types = {INT8OID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, UUIDOID, UUIDOID, INT2OID,
			  INT2OID, TEXTOID},
};

static PawsStatement put_envelope = {
	.sql = "UPDATE paws_crisis.item SET envelope = $2, seal = $3 WHERE id OPERATOR(pg_catalog.=) $1",
	.nargs = 3,
	.types = {INT8OID, BYTEAOID, BYTEAOID},
};

static PawsStatement find_key = {
	.sql = "SELECT id, state, claimed_until, available_at FROM paws_crisis.item "
		   "WHERE topic::pg_catalog.text OPERATOR(pg_catalog.=) $1 AND key OPERATOR(pg_catalog.=) $2",
	.nargs = 2,
	.types = {TEXTOID, UUIDOID},
	.latest = true,
};

/* One that somebody is claiming at this moment is not waited for. */
static PawsStatement raise_waiting = {
	.sql = "UPDATE paws_crisis.item SET level = GREATEST(level, $4), class = LEAST(class, $5), "
		   "deadline = LEAST(deadline, $6) WHERE id OPERATOR(pg_catalog.=) ANY (ARRAY("
		   "SELECT id FROM paws_crisis.item WHERE signal_id OPERATOR(pg_catalog.=) $3 "
		   "AND state OPERATOR(pg_catalog.=) 2 AND " PAWS_ITEM_FREE " FOR UPDATE SKIP LOCKED))",
	.nargs = 6,
	.types = {TIMESTAMPTZOID, TIMESTAMPTZOID, UUIDOID, INT2OID, INT2OID, TIMESTAMPTZOID},
};

TimestampTz
paws_item_time(TimestampTz time)
{
	return paws_manifest_time(PAWS_CLOCK_CRISIS, PAWS_TIER_NONE, time);
}

TimestampTz
paws_item_end(TimestampTz time)
{
	return paws_manifest_end(PAWS_CLOCK_CRISIS, PAWS_TIER_NONE, time);
}

int16
paws_item_level(PawsClass klass)
{
	return klass == PAWS_CLASS_EMERGENCY ? 10 : 9;
}

/* How many times paws_sync.crisis_response_time somebody has to claim it. */
static int
patience(PawsSeverity severity)
{
	switch (severity)
	{
		case PAWS_SEVERITY_LOW:
			return 60;
		case PAWS_SEVERITY_MODERATE:
			return 15;
		case PAWS_SEVERITY_HIGH:
			return 5;
		case PAWS_SEVERITY_IMMINENT:
			return 1;
	}
	return 1;
}

static TimestampTz
deadline_in(int times)
{
	return paws_item_end(GetCurrentTimestamp() + (int64) times * paws_crisis_response_time * USECS_PER_SEC);
}

/* A fence says nothing of those before it to who should not know them. */
static int64
first_fence(void)
{
	return (int64) randombytes_random() + 1;
}

/* An item as a row. */
typedef struct NewItem
{
	int64 subject_no; /* 0: none */
	TimestampTz available_at;
	TimestampTz deadline;
	const pg_uuid_t *signal;
	const pg_uuid_t *key;
	PawsClass klass;
	const char *topic;
	Size topic_length;
} NewItem;

/* Its id, or 0 if its key is another one's. */
static int64
insert(int slot, const NewItem *item)
{
	TimestampTz now = paws_item_time(GetCurrentTimestamp());
	Datum args[10] = {Int64GetDatum(item->subject_no),
					  Int64GetDatum(first_fence()),
					  TimestampTzGetDatum(now),
					  TimestampTzGetDatum(item->available_at),
					  TimestampTzGetDatum(item->deadline),
					  UUIDPGetDatum(item->signal),
					  UUIDPGetDatum(item->key),
					  Int16GetDatum(paws_item_level(item->klass)),
					  Int16GetDatum(item->klass),
					  PointerGetDatum(cstring_to_text_with_len(item->topic, (int) item->topic_length))};
	char nulls[10] = "          ";

	nulls[0] = item->subject_no == 0 ? 'n' : ' ';
	nulls[3] = item->available_at == 0 ? 'n' : ' ';
	nulls[5] = item->signal == NULL ? 'n' : ' ';
	nulls[6] = item->key == NULL ? 'n' : ' ';
	if (paws_spi_run(&put, args, nulls, 1) == 0)
		return 0;
	paws_items_at_commit(slot);
	return paws_spi_int64(0, 1);
}

void
paws_item_put_signal(int slot, const PawsSignal *signal)
{
	NewItem item = {.subject_no = signal->subject_no,
					.deadline = deadline_in(patience(signal->severity)),
					.signal = &signal->id,
					.klass = paws_signal_class(signal->severity),
					.topic = PAWS_RESPONSE_TOPIC,
					.topic_length = strlen(PAWS_RESPONSE_TOPIC)};

	(void) insert(slot, &item);
}

void
paws_item_raise(int slot, const PawsSignal *signal)
{
	TimestampTz now = GetCurrentTimestamp();
	PawsClass klass = paws_signal_class(signal->severity);
	Datum args[6] = {TimestampTzGetDatum(now),
					 TimestampTzGetDatum(now + PAWS_ITEM_CLOCK_TOLERANCE),
					 UUIDPGetDatum(&signal->id),
					 Int16GetDatum(paws_item_level(klass)),
					 Int16GetDatum(klass),
					 TimestampTzGetDatum(deadline_in(patience(signal->severity)))};

	if (paws_spi_run(&raise_waiting, args, NULL, 0) == 0)
		paws_item_put_signal(slot, signal);
	else
		paws_items_at_commit(slot);
}

/* ---- submitted ones ---- */

void
paws_item_seal_context(PawsItemSeal *seal, int64 id, const char *topic, Size length, const uint8 *subject)
{
	static const uint8 nobody[16] = {0};
	uint64 number = pg_hton64((uint64) id);

	memset(seal->doc_id, 0, sizeof(seal->doc_id));
	memcpy(seal->doc_id + 8, &number, sizeof(number));
	crypto_generichash(seal->op_id, sizeof(seal->op_id), (const unsigned char *) topic, length, NULL, 0);
	seal->context = (PawsEnvelopeContext){.purpose = PAWS_PURPOSE_CRISIS,
										  .subject = subject ? subject : nobody,
										  .doc_id = seal->doc_id,
										  .op_id = seal->op_id};
}

/* BLAKE2b-128 under a key of its own, over the topic's name, a zero, and the bytes. */
static void
digest_of_key(const PawsItemSubmission *submission, pg_uuid_t *digest)
{
	uint8_t key[32];
	crypto_generichash_state state;

	paws_vault_purpose_key(PAWS_ROOT_CRISIS, KEY_LABEL, key);
	crypto_generichash_init(&state, key, sizeof(key), UUID_LEN);
	sodium_memzero(key, sizeof(key));
	crypto_generichash_update(&state, (const uint8_t *) submission->topic, submission->topic_length);
	crypto_generichash_update(&state, (const uint8_t *) "", 1);
	crypto_generichash_update(&state, (const uint8_t *) submission->key, submission->key_length);
	crypto_generichash_final(&state, digest->data, UUID_LEN);
}

static void
seal_payload(const PawsItemSubmission *submission)
{
	PawsItemSeal seal;
	bytea *mac = palloc(VARHDRSZ + PAWS_SEAL_BYTES);
	Datum args[3] = {Int64GetDatum(submission->id)};
	char nulls[3] = "   ";
	bytea *envelope;

	paws_item_seal_context(&seal, submission->id, submission->topic, submission->topic_length,
						   submission->subject ? submission->subject->id : NULL);
	envelope = paws_vault_seal(PAWS_KEYS_CRISIS, submission->subject_no, &seal.context, NULL,
							   submission->payload, submission->payload_length);
	SET_VARSIZE(mac, VARHDRSZ + PAWS_SEAL_BYTES);
	if (!paws_vault_revision_seal(PAWS_KEYS_CRISIS, envelope, submission->subject_no, seal.doc_id, 0,
								  (uint8_t *) VARDATA(mac)))
		nulls[2] = 'n';
	args[1] = PointerGetDatum(envelope);
	args[2] = PointerGetDatum(mac);
	paws_spi_run(&put_envelope, args, nulls, 0);
	pfree(envelope);
}

/* What has the key of a submission; false if none is there to be seen. */
static bool
find_first(const char *topic, Size topic_length, const pg_uuid_t *key)
{
	Datum args[2] = {PointerGetDatum(cstring_to_text_with_len(topic, (int) topic_length)),
					 UUIDPGetDatum(key)};

	return paws_spi_run(&find_key, args, NULL, 1) > 0;
}

/* The first one with the key. */
static void
answer_duplicate(PawsItemSubmission *submission, const pg_uuid_t *key)
{
	TimestampTz now = GetCurrentTimestamp();

	if (!find_first(submission->topic, submission->topic_length, key))
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						errmsg("an item with the same key ended meanwhile"),
						errhint("The transaction might succeed if retried.")));
	submission->duplicate = true;
	submission->id = paws_spi_int64(0, 1);
	submission->state = (PawsJobState) paws_spi_int16(0, 2);
	if (submission->state != PAWS_JOB_AVAILABLE)
		return;
	if (paws_spi_int64(0, 3) > now)
		submission->state = PAWS_JOB_RUNNING;
	else if (paws_spi_int64(0, 4) > now)
		submission->state = PAWS_JOB_SCHEDULED;
}

/* For paws_run_guarded. */
typedef struct Putting
{
	int slot;
	NewItem *item;
	int64 id;
} Putting;

static void
put_keyed(void *arg)
{
	Putting *putting = arg;

	putting->id = insert(putting->slot, putting->item);
}

/* Whoever submitted the same may idle in the transaction: then there are two, the second without the key,
 * which is better than none. */
static int64
insert_keyed(int slot, NewItem *item)
{
	Putting putting = {slot, item, 0};

	if (paws_run_guarded(put_keyed, &putting, paws_is_held))
		return putting.id;
	if (find_first(item->topic, item->topic_length, item->key))
		return 0;
	item->key = NULL;
	return insert(slot, item);
}

void
paws_item_submit(int slot, PawsItemSubmission *submission)
{
	bool keyed = submission->key != NULL && paws_vault_usable(PAWS_ROOT_CRISIS);
	TimestampTz now = GetCurrentTimestamp();
	bool later = submission->not_before > now;
	pg_uuid_t key;
	NewItem item = {.subject_no = submission->subject_no,
					.available_at = later ? paws_item_end(submission->not_before) : 0,
					.key = keyed ? &key : NULL,
					.klass = submission->klass,
					.topic = submission->topic,
					.topic_length = submission->topic_length};

	PreventCommandIfReadOnly("submit()");
	item.deadline = paws_item_end(deadline_in(submission->klass == PAWS_CLASS_EMERGENCY ? 1 : 5) +
								  (later ? submission->not_before - now : 0));
	if (keyed)
		digest_of_key(submission, &key);
	submission->duplicate = false;
	submission->state = later ? PAWS_JOB_SCHEDULED : PAWS_JOB_AVAILABLE;
	submission->id = keyed ? insert_keyed(slot, &item) : insert(slot, &item);
	if (submission->id == 0)
	{
		answer_duplicate(submission, &key);
		return;
	}
	seal_payload(submission);
	paws_item_audit(slot, PAWS_AUDIT_SUBMITTED, submission->id, submission->klass, submission->subject_no,
					PAWS_JOB_WAS_SUBMITTED, paws_item_level(submission->klass));
}
