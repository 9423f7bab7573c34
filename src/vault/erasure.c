/*
 * vault/erasure.c - the rows of paws_vault.erasure.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "vault/certificate.h"
#include "vault/erasure.h"
#include "vault/keyring.h"
#include "vault/supersede.h"

#define COLUMNS                                                                                                    \
	"SELECT erasure_id, subject::pg_catalog.text, subject_no, state, keys, care_epoch, crisis_epoch, logical_at, " \
	"destroyed_at, irrecoverable_at, horizon, signature FROM paws_vault.erasure "

static PawsStatement insert_erasure = {
	.sql =
		"INSERT INTO paws_vault.erasure (subject, subject_no, keys, care_epoch, crisis_epoch, logical_at, horizon) "
		"VALUES ($1, $2, $3, $4, $5, pg_catalog.date_trunc('second', pg_catalog.clock_timestamp()), $6)",
	.nargs = 6,
	.types = {InvalidOid, INT8OID, INT4OID, INT4OID, INT4OID, INT8OID},
	.type_names = {"subject"},
};

static PawsStatement find_of_subject = {
	.sql = COLUMNS "WHERE subject OPERATOR(paws_sync.=) $1 ORDER BY logical_at DESC, erasure_id LIMIT 1",
	.nargs = 1,
	.type_names = {"subject"},
};

static PawsStatement find_in_state = {
	.sql = COLUMNS "WHERE state OPERATOR(pg_catalog.<) 4 AND state OPERATOR(pg_catalog.=) $1 "
				   "ORDER BY logical_at, erasure_id LIMIT 1",
	.nargs = 1,
	.types = {INT2OID},
};

static PawsStatement set_swept = {
	.sql = "UPDATE paws_vault.erasure SET state = 2 WHERE erasure_id OPERATOR(pg_catalog.=) $1 "
		   "AND state OPERATOR(pg_catalog.=) 1",
	.nargs = 1,
	.types = {UUIDOID},
};

static PawsStatement set_destroyed = {
	.sql = "UPDATE paws_vault.erasure SET state = 3, destroyed_at = $3, irrecoverable_at = $4, "
		   "care_epoch = $1 OPERATOR(pg_catalog.-) 1, crisis_epoch = $2 OPERATOR(pg_catalog.-) 1 "
		   "WHERE state OPERATOR(pg_catalog.=) 2 "
		   "AND care_epoch OPERATOR(pg_catalog.<) $1 AND crisis_epoch OPERATOR(pg_catalog.<) $2",
	.nargs = 4,
	.types = {INT4OID, INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID},
};

static PawsStatement set_certified = {
	.sql = "UPDATE paws_vault.erasure SET state = 4, signature = $2 "
		   "WHERE erasure_id OPERATOR(pg_catalog.=) $1 AND state OPERATOR(pg_catalog.=) 3",
	.nargs = 2,
	.types = {UUIDOID, BYTEAOID},
};

static void
read_row(PawsErasure *erasure)
{
	bool isnull;

	memset(erasure, 0, sizeof(*erasure));
	memcpy(&erasure->id, DatumGetUUIDP(paws_spi_column(0, 1, &isnull)), UUID_LEN);
	erasure->subject = TextDatumGetCString(paws_spi_column(0, 2, &isnull));
	erasure->subject_no = paws_spi_int64(0, 3);
	erasure->state = (PawsErasureState) paws_spi_int16(0, 4);
	erasure->keys = paws_spi_int32(0, 5);
	erasure->care_epoch = (uint32) paws_spi_int32(0, 6);
	erasure->crisis_epoch = (uint32) paws_spi_int32(0, 7);
	erasure->logical_at = paws_spi_int64(0, 8);
	erasure->destroyed_at = paws_spi_int64(0, 9);
	erasure->irrecoverable_at = paws_spi_int64(0, 10);
	erasure->horizon = FullTransactionIdFromU64((uint64) paws_spi_int64(0, 11));
	erasure->signature = paws_spi_bytea(0, 12);
}

/*
 * The epochs are read after the keys are deleted. Whoever wraps keys anew had either done it to these before,
 * and then its epoch is among those read here; or it finds them locked, and later gone.
 */
void
paws_erasure_begin(Datum subject, int64 subject_no, PawsErasure *erasure)
{
	int keys;
	Datum args[6];

	keys = paws_vault_delete_keys(PAWS_KEYS_CARE, subject_no) +
		   paws_vault_delete_keys(PAWS_KEYS_CRISIS, subject_no);
	args[0] = subject;
	args[1] = Int64GetDatum(subject_no);
	args[2] = Int32GetDatum(keys);
	args[3] = Int32GetDatum((int32) paws_keyring_ensure_epoch(PAWS_ROOT_CARE));
	args[4] = Int32GetDatum((int32) paws_keyring_ensure_epoch(PAWS_ROOT_CRISIS));
	args[5] = Int64GetDatum((int64) U64FromFullTransactionId(ReadNextFullTransactionId()));
	paws_spi_run(&insert_erasure, args, NULL, 0);
	(void) paws_erasure_of_subject(subject, erasure);
}

bool
paws_erasure_of_subject(Datum subject, PawsErasure *erasure)
{
	Datum args[1] = {subject};

	if (paws_spi_run(&find_of_subject, args, NULL, 1) == 0)
		return false;
	read_row(erasure);
	return true;
}

bool
paws_erasure_in_state(PawsErasureState state, PawsErasure *erasure)
{
	Datum args[1] = {Int16GetDatum(state)};

	if (paws_spi_run(&find_in_state, args, NULL, 1) == 0)
		return false;
	read_row(erasure);
	return true;
}

void
paws_erasure_swept(const PawsErasure *erasure)
{
	Datum args[1] = {UUIDPGetDatum(&erasure->id)};

	paws_spi_run(&set_swept, args, NULL, 0);
}

void
paws_erasures_destroyed(uint32 care_epoch, uint32 crisis_epoch, int64 retention)
{
	TimestampTz now = GetCurrentTimestamp() / USECS_PER_SEC * USECS_PER_SEC;
	Datum args[4] = {Int32GetDatum((int32) care_epoch), Int32GetDatum((int32) crisis_epoch),
					 TimestampTzGetDatum(now), TimestampTzGetDatum(now + retention)};

	paws_spi_run(&set_destroyed, args, NULL, 0);
}

void
paws_erasure_certify(PawsErasure *erasure)
{
	Datum args[2] = {UUIDPGetDatum(&erasure->id), PointerGetDatum(paws_certificate_sign(erasure))};

	paws_spi_run(&set_certified, args, NULL, 0);
}

const char *
paws_erasure_state_name(PawsErasureState state)
{
	switch (state)
	{
		case PAWS_ERASURE_DELETED:
			return "deleted";
		case PAWS_ERASURE_SWEPT:
			return "swept";
		case PAWS_ERASURE_DESTROYED:
			return "destroyed";
		case PAWS_ERASURE_CERTIFIED:
			return "certified";
	}
	return NULL;
}
