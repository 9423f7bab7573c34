/*
 * api/ack.c - ack: how far a device has come.
 */
#include "postgres.h"

#include "api/cursor.h"
#include "api/pull.h"
#include "base/database.h"
#include "base/spi.h"
#include "care/care.h"
#include "crisis/crisis.h"
#include "guard/mint.h"

PG_FUNCTION_INFO_V1(paws_ack);

/* A cursor in the middle of a seed acknowledges nothing: the device does not have all documents yet. */
static void
acknowledge(PawsStore *store, const PawsDevice *device, const PawsLaneCursor *cursor, PawsTier tier)
{
	Snapshot snapshot = paws_table_snap(false);
	PawsBounds bounds;
	bool acknowledges =
		cursor->mode == PAWS_CURSOR_FEED && paws_store_bounds(store, snapshot, device->subject_no, &bounds);

	if (acknowledges &&
		(cursor->epoch != bounds.epoch || cursor->position < 0 || cursor->position > bounds.last ||
		 (cursor->position > bounds.expired &&
		  paws_store_digest(store, snapshot, device->subject_no, cursor->position) != cursor->digest)))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("cursor is not of this history"),
						errhint("Pull with the cursor; the answer says where to begin anew.")));
	paws_table_unsnap(snapshot);
	if (acknowledges)
		paws_store_acknowledge(store, device->device_no, cursor->position, tier);
}

Datum
paws_ack(PG_FUNCTION_ARGS)
{
	const PawsToken *token = paws_token_argument(fcinfo, 0, PAWS_TOKEN_DEVICE);
	PawsDevice device;
	PawsCursor cursor;

	if (PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("cursor must not be null")));
	paws_cursor_from_datum(PG_GETARG_DATUM(1), &cursor);
	(void) paws_database_slot();
	paws_pull_find_device(token, &device);
	paws_spi_begin();
	acknowledge(&paws_crisis_store, &device, &cursor.crisis, PAWS_TIER_NONE);
	acknowledge(&paws_care_store, &device, &cursor.ordinary, paws_care_tier(device.subject_no));
	paws_spi_end();
	PG_RETURN_VOID();
}
