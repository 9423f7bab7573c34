/*
 * crisis/item_late.c - seals and outer layers for items that were written without keys.
 */
#include "postgres.h"

#include "base/spi.h"
#include "catalog/pg_type.h"
#include "crisis/item_private.h"
#include "registry/registry.h"

static PawsStatement find = {
	.sql = "SELECT id FROM paws_crisis.item WHERE state OPERATOR(pg_catalog.=) 2 AND seal IS NULL "
		   "AND envelope IS NOT NULL AND id OPERATOR(pg_catalog.<) $1 ORDER BY id DESC LIMIT $2",
	.nargs = 2,
	.types = {INT8OID, INT8OID},
};

static PawsStatement lock = {
	.sql = "SELECT coalesce(subject_no, 0), topic::pg_catalog.text, envelope FROM paws_crisis.item "
		   "WHERE id OPERATOR(pg_catalog.=) $1 AND envelope IS NOT NULL FOR NO KEY UPDATE SKIP LOCKED",
	.nargs = 1,
	.types = {INT8OID},
};

static PawsStatement put = {
	.sql = "UPDATE paws_crisis.item SET envelope = $2, seal = $3 WHERE id OPERATOR(pg_catalog.=) $1",
	.nargs = 3,
	.types = {INT8OID, BYTEAOID, BYTEAOID},
};

/* What was not written by this lane stays without, and is handed out no more. */
static void
seal(int64 id, int64 subject_no, const char *topic, const bytea *envelope)
{
	PawsItemSeal about;
	PawsToken subject;
	bytea *mac = palloc(VARHDRSZ + PAWS_SEAL_BYTES);
	bytea *anew;
	Datum args[3] = {Int64GetDatum(id)};

	if (subject_no != 0 && !paws_registry_subject_token(subject_no, &subject))
		return;
	paws_item_seal_context(&about, id, topic, strlen(topic), subject_no != 0 ? subject.id : NULL);
	if (!paws_vault_revision_check(PAWS_KEYS_CRISIS, envelope, subject_no, about.doc_id, 0, NULL))
		return;
	anew = paws_vault_reseal(PAWS_KEYS_CRISIS, subject_no, &about.context, envelope);
	SET_VARSIZE(mac, VARHDRSZ + PAWS_SEAL_BYTES);
	if (anew == NULL || !paws_vault_revision_seal(PAWS_KEYS_CRISIS, anew, subject_no, about.doc_id, 0,
												  (uint8_t *) VARDATA(mac)))
		return;
	args[1] = PointerGetDatum(anew);
	args[2] = PointerGetDatum(mac);
	paws_spi_run(&put, args, NULL, 0);
}

/* False if somebody is at it. */
static bool
seal_one(int64 id)
{
	Datum args[1] = {Int64GetDatum(id)};
	char topic[PAWS_ITEM_TOPIC_MAX + 1];

	if (paws_spi_run(&lock, args, NULL, 1) == 0)
		return false;
	paws_item_copy_topic(topic, 0, 2);
	seal(id, paws_spi_int64(0, 1), topic, paws_spi_bytea(0, 3));
	return true;
}

PawsItemsLate
paws_items_seal_late(int64 *walk, int limit)
{
	Datum args[2] = {Int64GetDatum(*walk), Int64GetDatum(limit)};
	int count = (int) paws_spi_run(&find, args, NULL, 0);
	int64 *ids = palloc(Max(count, 1) * sizeof(int64));

	for (int i = 0; i < count; i++)
		ids[i] = paws_spi_int64(i, 1);
	for (int i = 0; i < count; i++)
	{
		if (!seal_one(ids[i]))
			return PAWS_ITEMS_LOCKED;
		*walk = ids[i];
	}
	return count < limit ? PAWS_ITEMS_SEALED : PAWS_ITEMS_MORE;
}
