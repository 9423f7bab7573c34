/*
 * api/signal.c - raise_crisis and resolve_crisis.
 *
 * They touch the registry and the crisis lane, and nothing else.
 */
#include "postgres.h"

#include "api/item.h"
#include "base/database.h"
#include "base/reserve.h"
#include "base/spi.h"
#include "crisis/budget.h"
#include "crisis/signal.h"
#include "fmgr.h"
#include "guard/mint.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(paws_raise_crisis);
PG_FUNCTION_INFO_V1(paws_resolve_crisis);

static void
require_argument(FunctionCallInfo fcinfo, int argument, const char *what)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", what)));
}

Datum
paws_raise_crisis(PG_FUNCTION_ARGS)
{
	const PawsToken *subject = paws_token_argument_crisis(fcinfo, 0, PAWS_TOKEN_SUBJECT);
	PawsCrisisTime time = paws_crisis_take_time();
	pg_uuid_t *id = palloc(sizeof(pg_uuid_t));
	PawsSource source;
	PawsSeverity severity;
	int64 begun_at;
	int slot;

	require_argument(fcinfo, 1, "source");
	require_argument(fcinfo, 2, "severity");
	source = paws_source_from_datum(PG_GETARG_DATUM(1));
	severity = paws_severity_from_datum(PG_GETARG_DATUM(2));
	slot = paws_database_slot();
	begun_at = paws_reserve_crisis_begin();
	paws_spi_begin();
	paws_signal_raise(slot, paws_crisis_subject(subject), source, severity, id);
	paws_spi_end();
	paws_reserve_crisis_end(begun_at, 0);
	paws_crisis_end_time(&time);
	PG_RETURN_UUID_P(id);
}

Datum
paws_resolve_crisis(PG_FUNCTION_ARGS)
{
	PawsCrisisTime time = paws_crisis_take_time();
	int slot = paws_database_slot();
	bool resolved;

	require_argument(fcinfo, 0, "signal");
	paws_spi_begin();
	resolved = paws_signal_resolve(slot, PG_GETARG_UUID_P(0));
	paws_spi_end();
	paws_crisis_end_time(&time);
	PG_RETURN_BOOL(resolved);
}
