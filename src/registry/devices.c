/*
 * registry/devices.c - subjects and devices.
 */
#include "postgres.h"

#include <sodium.h>

#include "base/database.h"
#include "base/errors.h"
#include "base/fresh.h"
#include "base/guarded.h"
#include "base/spi.h"
#include "base/table.h"
#include "catalog/pg_type.h"
#include "guard/audit_row.h"
#include "guard/manifest.h"
#include "registry/known.h"
#include "utils/timestamp.h"

/* Columns of the table of devices, and of that of subjects. */
#define DEVICE_NO          1
#define DEVICE_SUBJECT_NO  3
#define DEVICE_CRISIS_ONLY 5
#define DEVICE_REVOKED_AT  7
#define SUBJECT_NO         1
#define SUBJECT_TOKEN      2

/* Indexes of the table of subjects. */
enum
{
	SUBJECT_BY_NO,
	SUBJECT_BY_TOKEN
};

static PawsTable devices = {.schema = "paws_registry", .name = "device", .indexes = {"device_device_key"}};
static PawsTable subjects = {.schema = "paws_registry",
							 .name = "subject",
							 .indexes = {"subject_pkey", "subject_subject_key"}};

static PawsStatement add_subject = {
	.sql = "INSERT INTO paws_registry.subject (subject, created_at, salt) VALUES ($1, $2, $3) "
		   "ON CONFLICT (subject) DO NOTHING RETURNING subject_no",
	.nargs = 3,
	.types = {InvalidOid, TIMESTAMPTZOID, BYTEAOID},
	.type_names = {"subject"},
};

static PawsStatement lock_subject = {
	.sql = "SELECT 1 FROM paws_registry.subject WHERE subject_no OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
	.nargs = 1,
	.types = {INT8OID},
};

static PawsStatement count_devices = {
	.sql = "SELECT pg_catalog.count(*) FROM paws_registry.device WHERE subject_no OPERATOR(pg_catalog.=) $1 "
		   "AND revoked_at IS NULL AND NOT crisis_only",
	.nargs = 1,
	.types = {INT8OID},
};

static PawsStatement has_room = {
	.sql = "SELECT pg_catalog.count(*) FILTER (WHERE crisis_only) OPERATOR(pg_catalog.>) 0 "
		   "AND pg_catalog.count(*) FILTER (WHERE NOT crisis_only) OPERATOR(pg_catalog.<) $2 "
		   "FROM paws_registry.device WHERE subject_no OPERATOR(pg_catalog.=) $1 AND revoked_at IS NULL",
	.nargs = 2,
	.types = {INT8OID, INT4OID},
};

static PawsStatement promote = {
	.sql =
		"UPDATE paws_registry.device SET crisis_only = false WHERE device_no OPERATOR(pg_catalog.=) ANY (ARRAY("
		"SELECT device_no FROM paws_registry.device WHERE subject_no OPERATOR(pg_catalog.=) $1 AND revoked_at IS NULL "
		"AND crisis_only ORDER BY device_no LIMIT $2))",
	.nargs = 2,
	.types = {INT8OID, INT8OID},
};

static PawsStatement add_device = {
	.sql = "INSERT INTO paws_registry.device (device, subject_no, platform, crisis_only, registered_at) "
		   "VALUES ($1, $2, $3, $4, $5) RETURNING device_no",
	.nargs = 5,
	.types = {InvalidOid, INT8OID, INT2OID, BOOLOID, TIMESTAMPTZOID},
	.type_names = {"device"},
};

static PawsStatement revoke_device = {
	.sql = "UPDATE paws_registry.device SET revoked_at = $2 "
		   "WHERE device_no OPERATOR(pg_catalog.=) $1 AND revoked_at IS NULL",
	.nargs = 2,
	.types = {INT8OID, TIMESTAMPTZOID},
};

/* The time, as the registry may store it. */
static Datum
now(void)
{
	return TimestampTzGetDatum(paws_manifest_time(PAWS_CLOCK_SLOW, PAWS_TIER_NONE, GetCurrentTimestamp()));
}

/* False if there is no such device. `own`: this transaction added it. */
static bool
read_device(const PawsToken *token, Snapshot snapshot, PawsDevice *device, bool *own)
{
	PawsKey key = {.column = 1, .strategy = BTEqualStrategyNumber, .value = PointerGetDatum(token)};
	PawsScan scan;
	bool revoked_is_null;
	bool found;

	paws_scan_begin(&scan, &devices, 0, snapshot, &key, 1);
	found = paws_scan_next(&scan);
	if (found)
	{
		device->device_no = paws_scan_int64(&scan, DEVICE_NO);
		device->subject_no = paws_scan_int64(&scan, DEVICE_SUBJECT_NO);
		device->crisis_only = paws_scan_bool(&scan, DEVICE_CRISIS_ONLY);
		(void) paws_scan_column(&scan, DEVICE_REVOKED_AT, &revoked_is_null);
		device->revoked = !revoked_is_null;
		*own = paws_scan_is_own(&scan);
	}
	paws_scan_end(&scan);
	return found;
}

/* False if the subject is gone. */
static bool
read_subject(Snapshot snapshot, PawsDevice *device)
{
	PawsKey key = {.column = 1,
				   .strategy = BTEqualStrategyNumber,
				   .value = Int64GetDatum(device->subject_no)};
	PawsScan scan;
	bool isnull;
	bool found;

	paws_scan_begin(&scan, &subjects, SUBJECT_BY_NO, snapshot, &key, 1);
	found = paws_scan_next(&scan);
	if (found)
		memcpy(&device->subject, DatumGetPointer(paws_scan_column(&scan, SUBJECT_TOKEN, &isnull)),
			   sizeof(PawsToken));
	paws_scan_end(&scan);
	return found;
}

void
paws_registry_device(const PawsToken *token, PawsDevice *device)
{
	int slot = paws_database_slot();
	uint64 begun = paws_fresh_begin(slot);
	Snapshot snapshot;
	bool own = false;
	bool found;

	if (paws_known_device(slot, begun, token, device))
		return;
	snapshot = paws_table_snap(false);
	found = read_device(token, snapshot, device, &own) && read_subject(snapshot, device);
	paws_table_unsnap(snapshot);
	if (!found)
		ereport(ERROR, (errcode(PAWS_ERRCODE_UNKNOWN_DEVICE), errmsg("device is not registered"),
						errhint("Register it with paws_sync.register_device in this database.")));
	if (!own)
		paws_know_device(slot, begun, token, device);
}

/* 0 if there is none. `own`: this transaction added it. */
static int64
read_subject_no(const PawsToken *token, bool *own)
{
	PawsKey key = {.column = 1, .strategy = BTEqualStrategyNumber, .value = PointerGetDatum(token)};
	Snapshot snapshot = paws_table_snap(false);
	int64 subject_no = 0;
	PawsScan scan;

	paws_scan_begin(&scan, &subjects, SUBJECT_BY_TOKEN, snapshot, &key, 1);
	if (paws_scan_next(&scan))
	{
		subject_no = paws_scan_int64(&scan, SUBJECT_NO);
		*own = paws_scan_is_own(&scan);
	}
	paws_scan_end(&scan);
	paws_table_unsnap(snapshot);
	return subject_no;
}

int64
paws_registry_subject(const PawsToken *token)
{
	int slot = paws_database_slot();
	uint64 begun = paws_fresh_begin(slot);
	int64 subject_no = paws_known_subject(slot, begun, token);
	bool own = false;

	if (subject_no != 0)
		return subject_no;
	subject_no = read_subject_no(token, &own);
	if (subject_no != 0 && !own)
		paws_know_subject(slot, begun, token, subject_no);
	return subject_no;
}

static Datum
new_salt(void)
{
	bytea *salt = palloc(VARHDRSZ + PAWS_AUDIT_SALT_BYTES);

	SET_VARSIZE(salt, VARHDRSZ + PAWS_AUDIT_SALT_BYTES);
	randombytes_buf(VARDATA(salt), PAWS_AUDIT_SALT_BYTES);
	return PointerGetDatum(salt);
}

/* Another session may add the same subject at the same time: then the insert waits for it, does nothing, and
 * we read. */
int64
paws_registry_ensure_subject(const PawsToken *token)
{
	Datum args[3] = {PointerGetDatum(token), now(), new_salt()};
	int64 subject_no = paws_registry_subject(token);

	if (subject_no == 0 && paws_spi_run(&add_subject, args, NULL, 1) > 0)
		subject_no = paws_spi_int64(0, 1);
	return subject_no ? subject_no : paws_registry_subject(token);
}

/* For paws_run_guarded. */
typedef struct Making
{
	const PawsToken *token;
	int64 subject_no;
} Making;

static void
make_subject(void *arg)
{
	Making *making = arg;

	making->subject_no = paws_registry_ensure_subject(making->token);
}

void
paws_registry_busy(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("another transaction is making the same subject known"),
			 errhint(
				 "Repeat it in a new transaction; whoever registered its first device has to end theirs.")));
}

int64
paws_registry_ensure_subject_soon(const PawsToken *token)
{
	Making making = {token, paws_registry_subject(token)};

	if (making.subject_no == 0 && !paws_run_guarded(make_subject, &making, paws_is_held))
		paws_registry_busy();
	return making.subject_no;
}

/* Under the subject's lock, so that two registrations at once do not both find room for one. */
int
paws_registry_count_devices(int64 subject_no)
{
	Datum args[1] = {Int64GetDatum(subject_no)};

	if (paws_spi_run(&lock_subject, args, NULL, 0) == 0)
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						errmsg("subject was forgotten by another transaction"),
						errhint("The transaction might succeed if retried.")));
	paws_spi_run(&count_devices, args, NULL, 1);
	return (int) paws_spi_int64(0, 1);
}

bool
paws_registry_has_room(int64 subject_no, int max_devices)
{
	Datum args[2] = {Int64GetDatum(subject_no), Int32GetDatum(max_devices)};

	paws_spi_run(&has_room, args, NULL, 1);
	return paws_spi_bool(0, 1);
}

void
paws_registry_promote(int64 subject_no, int max_devices)
{
	int room = max_devices - paws_registry_count_devices(subject_no);
	Datum args[2] = {Int64GetDatum(subject_no), Int64GetDatum(room)};

	if (room > 0)
		paws_spi_run(&promote, args, NULL, 0);
}

int64
paws_registry_add_device(const PawsToken *device, int64 subject_no, PawsPlatform platform, bool crisis_only)
{
	Datum args[5] = {PointerGetDatum(device), Int64GetDatum(subject_no), Int16GetDatum(platform),
					 BoolGetDatum(crisis_only), now()};

	paws_spi_run(&add_device, args, NULL, 1);
	return paws_spi_int64(0, 1);
}

bool
paws_registry_revoke(int64 device_no)
{
	Datum args[2] = {Int64GetDatum(device_no), now()};

	return paws_spi_run(&revoke_device, args, NULL, 0) > 0;
}
