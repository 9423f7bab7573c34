/*
 * store/expire.c - how far devices have come, and what may go because of it.
 */
#include "postgres.h"

#include "base/settings.h"
#include "base/spi.h"
#include "catalog/pg_type.h"
#include "store/store.h"
#include "store/store_private.h"
#include "utils/timestamp.h"

void
paws_store_acknowledge(PawsStore *store, int64 device_no, int64 position, PawsTier tier)
{
	TimestampTz now = paws_manifest_time(store->acknowledged, tier, GetCurrentTimestamp());
	Datum args[3] = {Int64GetDatum(device_no), Int64GetDatum(position), TimestampTzGetDatum(now)};

	paws_store_run(store, PAWS_STORE_ACKNOWLEDGE, args, NULL);
}

/* What a device was last heard of at is rounded down: none is taken for silent before its time. */
static TimestampTz
silent_since(const PawsStore *store)
{
	int64 rounded = Max(paws_clock_coarsest(store->acknowledged), paws_clock_coarsest(PAWS_CLOCK_SLOW));

	return GetCurrentTimestamp() - (int64) paws_device_expiry * USECS_PER_MINUTE - rounded;
}

int
paws_store_walk(PawsStore *store, int64 after, PawsExpiry *expiries, int count)
{
	Datum args[3] = {Int64GetDatum(after), TimestampTzGetDatum(silent_since(store)), Int64GetDatum(count)};
	int found = (int) paws_store_run(store, PAWS_STORE_WALK, args, NULL);

	for (int i = 0; i < found; i++)
	{
		expiries[i].subject_no = paws_spi_int64(i, 1);
		expiries[i].passed = paws_spi_int64(i, 2);
	}
	return found;
}

bool
paws_store_expire(PawsStore *store, const PawsExpiry *expiries, int count)
{
	Datum *subjects = palloc(Max(count, 1) * sizeof(Datum));
	Datum *cutoffs = palloc(Max(count, 1) * sizeof(Datum));
	Datum *passed = palloc(Max(count, 1) * sizeof(Datum));
	Datum args[3];
	bool all;

	for (int i = 0; i < count; i++)
	{
		subjects[i] = Int64GetDatum(expiries[i].subject_no);
		cutoffs[i] = TimestampTzGetDatum(expiries[i].cutoff);
		passed[i] = Int64GetDatum(expiries[i].passed);
	}
	args[0] = paws_spi_array(subjects, NULL, count, INT8OID);
	args[1] = paws_spi_array(cutoffs, NULL, count, TIMESTAMPTZOID);
	args[2] = Int64GetDatum(PAWS_STORE_EXPIRE_MAX);
	paws_store_run(store, PAWS_STORE_EXPIRE_FEED, args, NULL);
	all = paws_spi_int64(0, 1) < PAWS_STORE_EXPIRE_MAX;
	args[1] = paws_spi_array(passed, NULL, count, INT8OID);
	paws_store_run(store, PAWS_STORE_EXPIRE_TOMBSTONES, args, NULL);
	return all;
}
