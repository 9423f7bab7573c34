/*
 * crisis/pending.c - what waits in the lane's queue, as devices and operators see it.
 */
#include "postgres.h"

#include <sodium.h>

#include "base/spi.h"
#include "catalog/pg_type.h"
#include "crisis/crisis.h"
#include "crisis/queue.h"
#include "crisis/queue_private.h"
#include "store/reseal.h"

static PawsStatement find_key = {
	.sql = "SELECT 1 FROM paws_crisis.operation WHERE subject_no OPERATOR(pg_catalog.=) $1 "
		   "AND pg_catalog.substring(envelope, 17, 16) OPERATOR(pg_catalog.=) $2 LIMIT 1",
	.nargs = 2,
	.types = {INT8OID, BYTEAOID},
};

static PawsStatement drop_subject = {
	.sql = "DELETE FROM paws_crisis.operation WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
		   "SELECT ctid FROM paws_crisis.operation WHERE subject_no OPERATOR(pg_catalog.=) $1 LIMIT $2 "
		   "FOR UPDATE SKIP LOCKED))",
	.nargs = 2,
	.types = {INT8OID, INT8OID},
};

static PawsStatement state = {
	.sql =
		"SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE attempts OPERATOR(pg_catalog.>=) $1), "
		"pg_catalog.min(received_at) FROM paws_crisis.operation",
	.nargs = 1,
	.types = {INT2OID},
};

/* Chained, so that all up to any of them have a digest; never 0. */
static uint64
digest_with(uint64 digest, int64 id)
{
	uint64 both[2] = {digest, (uint64) id};
	unsigned char bytes[crypto_generichash_BYTES_MIN];

	crypto_generichash(bytes, sizeof(bytes), (const unsigned char *) both, sizeof(both), NULL, 0);
	memcpy(&digest, bytes, sizeof(digest));
	return digest ? digest : 1;
}

static void
to_entry(const PawsQueued *queued, PawsFeedEntry *entry)
{
	const PawsChange *change = &queued->change;

	*entry = (PawsFeedEntry){.device_no = change->device_no,
							 .op_id = change->op_id,
							 .doc_id = change->doc_id,
							 .collection = change->collection,
							 .outcome = PAWS_OUTCOME_ACCEPTED,
							 .reason = change->mark,
							 .deleted = change->deleted,
							 .finished_at =
								 paws_manifest_time(PAWS_CLOCK_CRISIS, PAWS_TIER_NONE, queued->received_at),
							 .current = true,
							 .document_op_id = change->op_id,
							 .base_revision = change->base_revision,
							 .envelope = change->envelope};
}

static bytea *
open_queued(const PawsDevice *device, const PawsQueued *queued, const PawsFeedEntry *entry, const char **code)
{
	PawsEnvelopeContext context;
	bytea *payload;

	*code = NULL;
	if (entry->envelope == NULL)
		return NULL;
	if (!paws_vault_can_open(PAWS_KEYS_CRISIS, entry->envelope))
	{
		*code = "sealed";
		return entry->envelope;
	}
	context = paws_store_context(&paws_crisis_store, device->subject.id, entry);
	payload = paws_crisis_queue_genuine(queued) == PAWS_GENUINE
				  ? paws_vault_open(PAWS_KEYS_CRISIS, device->subject_no, &context, entry->envelope)
				  : NULL;
	if (payload == NULL)
		*code = "envelope_rejected";
	return payload;
}

static bool
next_of_others(PawsQueueWalk *walk, const PawsDevice *device)
{
	while (paws_queue_walk_next(walk))
		if (paws_queue_walk_device_no(walk) != device->device_no)
			return true;
	return false;
}

/* Goes to the end of what was told; false if the first ones are not those any more. */
static bool
pass_told(PawsQueueWalk *walk, const PawsDevice *device, uint64 told)
{
	uint64 digest = 0;

	while (digest != told && next_of_others(walk, device))
		digest = digest_with(digest, paws_queue_walk_id(walk));
	return digest == told;
}

static bool
hand_out(PawsQueueWalk *walk, const PawsDevice *device, uint64 digest, PawsPendingEmit emit, void *context)
{
	PawsQueued queued;
	PawsFeedEntry entry;
	const char *code;
	bytea *payload;
	bool go_on;

	paws_queue_walk_read(walk, &queued);
	to_entry(&queued, &entry);
	payload = open_queued(device, &queued, &entry, &code);
	go_on = emit(context, &entry, payload, code, digest);
	if (payload && payload != entry.envelope)
		pfree(payload);
	if (entry.envelope)
		pfree(entry.envelope);
	return go_on;
}

uint64
paws_crisis_pending(const PawsDevice *device, uint64 told, PawsPendingEmit emit, void *context)
{
	PawsQueueWalk walk;
	uint64 digest = told;
	bool go_on = true;

	paws_queue_walk_begin(&walk, device->subject_no);
	if (!pass_told(&walk, device, told))
	{
		paws_queue_walk_again(&walk);
		digest = 0;
	}
	while (go_on && next_of_others(&walk, device))
	{
		digest = digest_with(digest, paws_queue_walk_id(&walk));
		go_on = hand_out(&walk, device, digest, emit, context);
	}
	paws_queue_walk_end(&walk);
	return digest;
}

bool
paws_crisis_queue_uses_key(int64 subject_no, const pg_uuid_t *key)
{
	bytea *bytes = palloc(VARHDRSZ + UUID_LEN);
	Datum args[2] = {Int64GetDatum(subject_no), PointerGetDatum(bytes)};

	SET_VARSIZE(bytes, VARHDRSZ + UUID_LEN);
	memcpy(VARDATA(bytes), key->data, UUID_LEN);
	return paws_spi_run(&find_key, args, NULL, 1) > 0;
}

bool
paws_crisis_queue_drop_subject(int64 subject_no, int limit, int64 *removed)
{
	Datum args[2] = {Int64GetDatum(subject_no), Int64GetDatum(limit)};

	*removed += (int64) paws_spi_run(&drop_subject, args, NULL, 0);
	return !paws_crisis_queue_waits(subject_no);
}

void
paws_crisis_queue_state(int64 *waiting, int64 *stuck, TimestampTz *oldest)
{
	Datum args[1] = {Int16GetDatum(PAWS_CRISIS_ATTEMPTS)};

	paws_spi_run(&state, args, NULL, 1);
	*waiting = paws_spi_int64(0, 1);
	*stuck = paws_spi_int64(0, 2);
	*oldest = paws_spi_int64(0, 3);
}
