/*
 * control/manifest.c - the manifest as rows: the constants of guard/manifest.c beside what tiers are granted.
 */
#include "postgres.h"

#include "base/settings.h"
#include "base/spi.h"
#include "control/rows.h"
#include "guard/manifest.h"
#include "queue/policy.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(paws_manifest);

/* True if any column of the row depends on the tier. */
static bool
by_tier(const PawsManifestEntry *entry)
{
	return entry->clock == PAWS_CLOCK_ORDINARY || entry->kept == PAWS_KEPT_OFFLINE_WINDOW ||
		   (entry->kind == PAWS_KIND_ENVELOPE && !entry->crisis);
}

static void
put_limit(PawsRows *rows, const PawsManifestEntry *entry, PawsTier tier)
{
	if (entry->kind != PAWS_KIND_ENVELOPE)
		paws_row_null(rows);
	else if (entry->crisis)
		paws_row_datum(rows, Int32GetDatum(paws_crisis_max_payload * 1024));
	else
		paws_row_datum(rows, Int32GetDatum(paws_tier_policy(tier)->max_payload));
}

/* tier: PAWS_TIER_NONE for what is the same in all. */
static void
put_entry(PawsRows *rows, const PawsManifestEntry *entry, PawsTier tier)
{
	paws_row_text(rows, entry->relation);
	paws_row_text(rows, entry->column);
	paws_row_text(rows, paws_kind_name(entry->kind));
	paws_row_label(rows, tier == PAWS_TIER_NONE ? NULL : paws_tier_name(tier));
	if (entry->kind == PAWS_KIND_TIME)
		paws_row_interval(rows, paws_clock_resolution(entry->clock, tier));
	else
		paws_row_null(rows);
	paws_row_text(rows, paws_retention_name(entry->kept));
	if (entry->kept == PAWS_KEPT_OFFLINE_WINDOW)
		paws_row_interval(rows, paws_tier_policy(tier)->offline_hours * USECS_PER_HOUR);
	else if (entry->kept == PAWS_KEPT_MONTH)
		paws_row_interval(rows, 31 * USECS_PER_DAY);
	else
		paws_row_null(rows);
	put_limit(rows, entry, tier);
	paws_row_datum(rows, BoolGetDatum(entry->exported));
	paws_row_end(rows);
}

Datum
paws_manifest(PG_FUNCTION_ARGS)
{
	PawsRows rows;
	int count;
	const PawsManifestEntry *entries = paws_manifest_entries(&count);

	paws_rows_begin(&rows, fcinfo);
	paws_spi_begin();
	/* read before rows are made: the policy may be loaded, in SPI's memory */
	(void) paws_tier_policy(PAWS_TIER_TRIAL);
	for (int i = 0; i < count; i++)
	{
		if (by_tier(&entries[i]))
			for (int tier = PAWS_TIER_FIRST; tier <= PAWS_TIER_LAST; tier++)
				put_entry(&rows, &entries[i], (PawsTier) tier);
		else
			put_entry(&rows, &entries[i], PAWS_TIER_NONE);
	}
	paws_spi_end();
	return (Datum) 0;
}
