/*
 * vault/erasure.c - the rows of paws_vault.erasure.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type_d.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "vault/certificate.h"
#include "vault/erasure.h"
#include "vault/keyring.h"
#include "vault/origin.h"
#include "vault/supersede.h"

#define COLUMNS                                                                                              \
	"SELECT erasure_id, subject::pg_catalog.text, subject_no, state, keys, care_epoch, crisis_epoch, "       \
	"logical_at, destroyed_at, irrecoverable_at, settling, signature, devices FROM paws_vault.erasure "

/* The condition says to the planner what the index of pending erasures holds. */
#define IN_STATE "WHERE state OPERATOR(pg_catalog.<) 6 AND state OPERATOR(pg_catalog.=) $1 "

static PawsStatement insert_erasure = {
	.sql = "INSERT INTO paws_vault.erasure (subject, subject_no, devices, keys, care_epoch, crisis_epoch, "
		   "logical_at) VALUES ($1, $2, $3, $4, $5, $6, "
		   "pg_catalog.date_trunc('second', pg_catalog.clock_timestamp()))",
	.nargs = 6,
	.types = {InvalidOid, INT8OID, INT8ARRAYOID, INT4OID, INT4OID, INT4OID},
	.type_names = {"subject"},
};

static PawsStatement find_of_subject = {
	.sql = COLUMNS "WHERE subject OPERATOR(paws_sync.=) $1 ORDER BY logical_at DESC, subject_no DESC LIMIT 1",
	.nargs = 1,
	.type_names = {"subject"},
};

static PawsStatement find_in_state = {
	.sql = COLUMNS IN_STATE "ORDER BY logical_at, erasure_id LIMIT $2",
	.nargs = 2,
	.types = {INT2OID, INT8OID},
};

static PawsStatement find_irrecoverable = {
	.sql = COLUMNS "WHERE state OPERATOR(pg_catalog.=) 5 AND irrecoverable_at OPERATOR(pg_catalog.<=) "
				   "pg_catalog.clock_timestamp() ORDER BY irrecoverable_at LIMIT $2",
	.nargs = 2,
	.types = {INT2OID, INT8OID},
};

static PawsStatement set_cleared = {
	.sql = "UPDATE paws_vault.erasure SET state = 2 WHERE erasure_id OPERATOR(pg_catalog.=) $1 "
		   "AND state OPERATOR(pg_catalog.=) 1",
	.nargs = 1,
	.types = {UUIDOID},
};

static PawsStatement set_settling = {
	.sql = "UPDATE paws_vault.erasure SET state = 3, settling = $1 "
		   "WHERE state OPERATOR(pg_catalog.<) 6 AND state OPERATOR(pg_catalog.=) 2",
	.nargs = 1,
	.types = {INT8OID},
};

static PawsStatement set_swept = {
	.sql = "UPDATE paws_vault.erasure SET state = 4, devices = '{}'::pg_catalog.int8[], "
		   "keys = keys OPERATOR(pg_catalog.+) $2, care_epoch = GREATEST(care_epoch, $3), "
		   "crisis_epoch = GREATEST(crisis_epoch, $4) WHERE erasure_id OPERATOR(pg_catalog.=) $1 "
		   "AND state OPERATOR(pg_catalog.=) 3",
	.nargs = 4,
	.types = {UUIDOID, INT4OID, INT4OID, INT4OID},
};

static PawsStatement find_swept_epochs = {
	.sql = "SELECT DISTINCT care_epoch, crisis_epoch FROM paws_vault.erasure "
		   "WHERE state OPERATOR(pg_catalog.<) 6 AND state OPERATOR(pg_catalog.=) 4",
};

/* A clock that was put back does not turn the dates around. */
static PawsStatement set_destroyed = {
	.sql = "UPDATE paws_vault.erasure SET state = 5, destroyed_at = GREATEST($3, logical_at), "
		   "irrecoverable_at = GREATEST($3, logical_at) OPERATOR(pg_catalog.+) "
		   "pg_catalog.make_interval(secs => $4) WHERE state OPERATOR(pg_catalog.<) 6 "
		   "AND state OPERATOR(pg_catalog.=) 4 AND care_epoch OPERATOR(pg_catalog.<) $1 "
		   "AND crisis_epoch OPERATOR(pg_catalog.<) $2",
	.nargs = 4,
	.types = {INT8OID, INT8OID, TIMESTAMPTZOID, FLOAT8OID},
};

static PawsStatement find_waiting = {
	.sql = "SELECT 1 FROM paws_vault.erasure WHERE state OPERATOR(pg_catalog.<) 6 "
		   "AND state OPERATOR(pg_catalog.=) 4 AND logical_at OPERATOR(pg_catalog.<=) $3 AND ($4 "
		   "OR care_epoch OPERATOR(pg_catalog.>=) $1 OR crisis_epoch OPERATOR(pg_catalog.>=) $2) LIMIT 1",
	.nargs = 4,
	.types = {INT8OID, INT8OID, TIMESTAMPTZOID, BOOLOID},
};

static PawsStatement set_certified = {
	.sql = "UPDATE paws_vault.erasure SET state = 6, signature = $2 "
		   "WHERE erasure_id OPERATOR(pg_catalog.=) $1 AND state OPERATOR(pg_catalog.=) 5",
	.nargs = 2,
	.types = {UUIDOID, BYTEAOID},
};

static void
read_row(int row, PawsErasure *erasure)
{
	bool isnull;

	memset(erasure, 0, sizeof(*erasure));
	memcpy(&erasure->id, DatumGetUUIDP(paws_spi_column(row, 1, &isnull)), UUID_LEN);
	erasure->subject = TextDatumGetCString(paws_spi_column(row, 2, &isnull));
	erasure->subject_no = paws_spi_int64(row, 3);
	erasure->state = (PawsErasureState) paws_spi_int16(row, 4);
	erasure->keys = paws_spi_int32(row, 5);
	erasure->care_epoch = (uint32) paws_spi_int32(row, 6);
	erasure->crisis_epoch = (uint32) paws_spi_int32(row, 7);
	erasure->logical_at = paws_spi_int64(row, 8);
	erasure->destroyed_at = paws_spi_int64(row, 9);
	erasure->irrecoverable_at = paws_spi_int64(row, 10);
	erasure->settling = FullTransactionIdFromU64((uint64) paws_spi_int64(row, 11));
	erasure->signature = paws_spi_bytea(row, 12);
	erasure->devices = PointerGetDatum(DatumGetArrayTypePCopy(paws_spi_column(row, 13, &isnull)));
}

/*
 * The epochs are read after the keys are deleted. Whoever wraps keys anew had either done it to these before,
 * and then its epoch is not above those read here; or it finds them locked, and later gone.
 */
void
paws_erasure_begin(Datum subject, int64 subject_no, Datum devices, PawsErasure *erasure)
{
	int keys = paws_vault_delete_keys(PAWS_KEYS_CARE, subject_no) +
			   paws_vault_delete_keys(PAWS_KEYS_CRISIS, subject_no);
	Datum args[6] = {
		subject,
		Int64GetDatum(subject_no),
		devices,
		Int32GetDatum(keys),
		Int32GetDatum((int32) paws_keyring_current_epoch(PAWS_ROOT_CARE)),
		Int32GetDatum((int32) paws_keyring_current_epoch(PAWS_ROOT_CRISIS)),
	};

	paws_spi_run(&insert_erasure, args, NULL, 0);
	(void) paws_erasure_of_subject(subject, erasure);
}

bool
paws_erasure_of_subject(Datum subject, PawsErasure *erasure)
{
	Datum args[1] = {subject};

	if (paws_spi_run(&find_of_subject, args, NULL, 1) == 0)
		return false;
	read_row(0, erasure);
	return true;
}

int
paws_erasures_in_state(PawsErasureState state, PawsErasure *erasures, int max)
{
	Datum args[2] = {Int16GetDatum(state), Int64GetDatum(max)};
	PawsStatement *find = state == PAWS_ERASURE_DESTROYED ? &find_irrecoverable : &find_in_state;
	int found = (int) paws_spi_run(find, args, NULL, 0);

	for (int i = 0; i < found; i++)
		read_row(i, &erasures[i]);
	return found;
}

void
paws_erasure_cleared(const PawsErasure *erasure)
{
	Datum args[1] = {UUIDPGetDatum(&erasure->id)};

	paws_spi_run(&set_cleared, args, NULL, 0);
}

int
paws_erasures_settle(void)
{
	PawsErasure first;
	Datum args[1];

	/* a number that is taken is written, and an engine that idles writes nothing */
	if (paws_erasures_in_state(PAWS_ERASURE_CLEARED, &first, 1) == 0)
		return 0;
	args[0] = Int64GetDatum((int64) U64FromFullTransactionId(GetTopFullTransactionId()));
	return (int) paws_spi_run(&set_settling, args, NULL, 0);
}

/*
 * A key that was made since may be wrapped under a newer epoch, and have sealed what is in the WAL; so may
 * one whose maker was rolled back, which leaves no row.
 */
void
paws_erasure_swept(const PawsErasure *erasure)
{
	int keys = paws_vault_delete_keys(PAWS_KEYS_CARE, erasure->subject_no) +
			   paws_vault_delete_keys(PAWS_KEYS_CRISIS, erasure->subject_no);
	Datum args[4] = {UUIDPGetDatum(&erasure->id), Int32GetDatum(keys),
					 Int32GetDatum((int32) paws_keyring_current_epoch(PAWS_ROOT_CARE)),
					 Int32GetDatum((int32) paws_keyring_current_epoch(PAWS_ROOT_CRISIS))};

	paws_spi_run(&set_swept, args, NULL, 0);
}

/* The oldest epoch of this database that is in the keyring, open or not; above all numbers if there is none.
 */
static int64
oldest_epoch(PawsRoot root)
{
	int64 oldest = PG_INT64_MAX;
	PawsKeyringEntry entry;

	for (int i = 0; paws_keyring_entry(i, &entry); i++)
		if (entry.kind == PAWS_KEYRING_EPOCH && entry.root == root && entry.own)
			oldest = Min(oldest, (int64) entry.number);
	return oldest;
}

/* This database may be a copy that was made while an erasure waited: then its epochs are the origin's. */
static void
note_epochs_of_origin(void)
{
	int found = (int) paws_spi_run(&find_swept_epochs, NULL, NULL, 0);
	uint32 *epochs = palloc(Max(found, 1) * 2 * sizeof(uint32));

	for (int i = 0; i < found; i++)
	{
		epochs[2 * i] = (uint32) paws_spi_int32(i, 1);
		epochs[2 * i + 1] = (uint32) paws_spi_int32(i, 2);
	}
	for (int i = 0; i < found; i++)
	{
		paws_origin_note_owner(PAWS_ROOT_CARE, epochs[2 * i]);
		paws_origin_note_owner(PAWS_ROOT_CRISIS, epochs[2 * i + 1]);
	}
}

int
paws_erasures_destroyed(int64 retention)
{
	Datum args[4];

	note_epochs_of_origin();
	if (paws_origin_state() != PAWS_ORIGIN_GONE)
		return 0;
	args[0] = Int64GetDatum(oldest_epoch(PAWS_ROOT_CARE));
	args[1] = Int64GetDatum(oldest_epoch(PAWS_ROOT_CRISIS));
	args[2] = TimestampTzGetDatum(GetCurrentTimestamp() / USECS_PER_SEC * USECS_PER_SEC);
	args[3] = Float8GetDatum((double) retention / USECS_PER_SEC);
	return (int) paws_spi_run(&set_destroyed, args, NULL, 0);
}

/* Where an epoch of another database is all that is in the way, a rotation here would be in vain. */
bool
paws_erasures_wait_for_epochs(TimestampTz since)
{
	Datum args[4] = {Int64GetDatum(oldest_epoch(PAWS_ROOT_CARE)),
					 Int64GetDatum(oldest_epoch(PAWS_ROOT_CRISIS)), TimestampTzGetDatum(since),
					 BoolGetDatum(paws_origin_state() == PAWS_ORIGIN_OWN)};

	return paws_spi_run(&find_waiting, args, NULL, 1) > 0;
}

void
paws_erasure_certify(const PawsErasure *erasure)
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
		case PAWS_ERASURE_CLEARED:
		case PAWS_ERASURE_SETTLING:
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
