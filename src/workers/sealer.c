/*
 * workers/sealer.c - revision seals and outer layers for what the crisis lane wrote without keys, and MACs
 * for its audit rows.
 *
 * Keys come with a start of the server, so one walk over all subjects after each start finds all there is.
 * What has no seal after that is not taken any more.
 */
#include "postgres.h"

#include "base/bulk.h"
#include "base/database.h"
#include "base/settings.h"
#include "base/spi.h"
#include "base/worker.h"
#include "crisis/audit.h"
#include "crisis/crisis.h"
#include "crisis/item.h"
#include "registry/registry.h"
#include "store/late.h"
#include "workers/sealer.h"

#define SUBJECT_SLICE 100
#define ITEM_SLICE    10
#define SLICE_BYTES   PAWS_BULK_SLICE_BYTES
#define SLICE_MS      20
#define LOCKED_MS     1000
#define AUDIT_SLICE   500
#define AUDIT_MS      60000 /* until it is tried again, after a failure */

/* Where the walk stands, as committed. */
typedef struct Walk
{
	Oid identity; /* of the extension that it is a walk through */
	bool done;
	bool audited;     /* so are the audit rows */
	bool passed_over; /* a subject that failed */
	int64 subject_no; /* the last one that is finished */
	pg_uuid_t doc_id; /* the last document of the next one */
	int64 item;       /* the last item, once all subjects are finished */
} Walk;

static Walk walk = {0};

/* The subject that is being worked on: if that fails, it is passed over. */
static int64 current;

/* Items for responders, after the documents. Ms until the next slice. */
static long
seal_items(Walk *next)
{
	switch (paws_items_seal_late(&next->item, ITEM_SLICE))
	{
		case PAWS_ITEMS_SEALED:
			break;
		case PAWS_ITEMS_MORE:
			return SLICE_MS;
		case PAWS_ITEMS_LOCKED:
			return LOCKED_MS;
	}
	next->done = true;
	return PAWS_SEALER_IDLE;
}

/* Ms until the next slice. */
static long
seal_slice(Walk *next)
{
	PawsSubject subjects[SUBJECT_SLICE];
	int found = paws_registry_walk(next->subject_no, subjects, SUBJECT_SLICE);
	int64 bytes = 0;

	for (int i = 0; i < found && bytes < SLICE_BYTES; i++)
	{
		PawsLate late = {.subject_no = subjects[i].subject_no,
						 .subject = subjects[i].subject.id,
						 .walk = next->doc_id};

		current = late.subject_no;
		paws_store_seal_late(&paws_crisis_store, &late, SLICE_BYTES - bytes);
		if (late.locked)
			return LOCKED_MS;
		bytes += late.bytes;
		next->doc_id = late.walk;
		if (!late.end)
			return SLICE_MS;
		next->subject_no = late.subject_no;
		memset(&next->doc_id, 0, sizeof(next->doc_id));
	}
	return found < SUBJECT_SLICE && bytes < SLICE_BYTES ? seal_items(next) : SLICE_MS;
}

static long
try_slice(int slot)
{
	volatile long wait = SLICE_MS;
	Walk next = walk;

	current = next.subject_no;
	PG_TRY();
	{
		long until_next = PAWS_SEALER_IDLE;

		paws_spi_begin();
		if (paws_vault_usable(PAWS_ROOT_CRISIS))
			until_next = seal_slice(&next);
		paws_spi_end();
		paws_worker_commit();
		walk = next;
		wait = until_next;
		if (walk.done && !walk.passed_over)
			paws_vault_seals_complete(slot);
	}
	PG_CATCH();
	{
		paws_worker_abort();
		if (current == walk.subject_no)
			wait = LOCKED_MS;
		walk.subject_no = current;
		walk.passed_over = true;
		memset(&walk.doc_id, 0, sizeof(walk.doc_id));
	}
	PG_END_TRY();
	return wait;
}

/* Audit rows after the documents, which devices wait for. */
static long
try_audit(void)
{
	volatile long wait = AUDIT_MS;

	PG_TRY();
	{
		bool more = false;
		bool usable;

		paws_spi_begin();
		usable = paws_vault_usable(PAWS_ROOT_CRISIS);
		if (usable)
			more = paws_crisis_audit_seal_late(AUDIT_SLICE) == AUDIT_SLICE;
		paws_spi_end();
		paws_worker_commit();
		walk.audited = usable && !more;
		wait = more ? SLICE_MS : PAWS_SEALER_IDLE;
	}
	PG_CATCH();
	{
		paws_worker_abort();
	}
	PG_END_TRY();
	return wait;
}

long
paws_sealer_turn(int slot)
{
	uint64 before;
	long wait;

	if (walk.identity != paws_database_identity(slot))
		walk = (Walk){.identity = paws_database_identity(slot)};
	if ((walk.done && walk.audited) || !paws_vault_ready(PAWS_ROOT_CRISIS))
		return PAWS_SEALER_IDLE;
	if (paws_bulk_wait() > 0)
		return paws_bulk_wait();
	if (!paws_worker_begin("paws_sync: seal late"))
		return PAWS_SEALER_IDLE;
	before = paws_bulk_begin();
	if (walk.done)
		wait = try_audit();
	else
	{
		wait = try_slice(slot);
		if (walk.done)
			wait = SLICE_MS;
	}
	(void) paws_bulk_end(before);
	return wait == PAWS_SEALER_IDLE ? wait : Max(wait, paws_bulk_wait());
}
