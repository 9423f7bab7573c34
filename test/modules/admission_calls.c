/*
 * admission_calls.c - asking for admission as fast as it goes, for tests: what sessions do between two questions
 * takes so much longer than a question that they would hardly ever meet. The library paws_sync is preloaded, which
 * resolves the names.
 */
#include "postgres.h"

#include "base/database.h"
#include "base/reserve.h"
#include "base/spi.h"
#include "fmgr.h"

#include "queue/admission.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(ask_push);
PG_FUNCTION_INFO_V1(ask_pull);
PG_FUNCTION_INFO_V1(ask_budget);

/* ask_push(subject_no bigint, tier int, class int, bytes bigint, times int): how many operations were admitted. */
Datum
ask_push(PG_FUNCTION_ARGS)
{
	int64 admitted = 0;

	paws_spi_begin();
	for (int i = 0; i < PG_GETARG_INT32(4); i++)
	{
		PawsAsk ask = {.klass = PG_GETARG_INT32(2), .bytes = PG_GETARG_INT64(3)};

		paws_admission_push(paws_database_slot(), PG_GETARG_INT64(0), PG_GETARG_INT32(1), &ask, 1);
		admitted += ask.admitted;
	}
	paws_spi_end();
	PG_RETURN_INT64(admitted);
}

/* The same for payloads that are pulled; each turns out to be twice as large as it was asked for. */
Datum
ask_pull(PG_FUNCTION_ARGS)
{
	int64 admitted = 0;

	paws_spi_begin();
	for (int i = 0; i < PG_GETARG_INT32(4); i++)
	{
		PawsAsk ask = {.klass = PG_GETARG_INT32(2), .bytes = PG_GETARG_INT64(3)};

		paws_admission_pull(paws_database_slot(), PG_GETARG_INT64(0), PG_GETARG_INT32(1), &ask);
		if (ask.admitted)
			paws_admission_correct(paws_database_slot(), PG_GETARG_INT64(0), PG_GETARG_INT32(1), &ask, 2 * ask.bytes);
		admitted += ask.admitted;
	}
	paws_spi_end();
	PG_RETURN_INT64(admitted);
}

/* ask_budget(bytes bigint, times int): how often the byte budget of the server had room. */
Datum
ask_budget(PG_FUNCTION_ARGS)
{
	int64 admitted = 0;

	for (int i = 0; i < PG_GETARG_INT32(1); i++)
	{
		int64 wait;

		admitted += paws_reserve_take(PG_GETARG_INT64(0), &wait);
	}
	PG_RETURN_INT64(admitted);
}
