/*
 * api/keys.c - rotate_keys, forget and certificates.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/database.h"
#include "base/spi.h"
#include "base/wake.h"
#include "care/care.h"
#include "control/rows.h"
#include "crisis/audit.h"
#include "fmgr.h"
#include "guard/mint.h"
#include "queue/admission.h"
#include "registry/registry.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "vault/certificate.h"
#include "vault/erasure.h"
#include "vault/key_job.h"
#include "vault/origin.h"

PG_FUNCTION_INFO_V1(paws_rotate_keys);
PG_FUNCTION_INFO_V1(paws_adopt_keys);
PG_FUNCTION_INFO_V1(paws_forget);
PG_FUNCTION_INFO_V1(paws_erasure_status);
PG_FUNCTION_INFO_V1(paws_verify_certificate);
PG_FUNCTION_INFO_V1(paws_certificate_key);

static PawsKeyJobKind
kind_argument(FunctionCallInfo fcinfo, int argument)
{
	text *name;

	if (PG_ARGISNULL(argument))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("what must not be null"),
						errhint("Use epochs, data_keys or roots.")));
	name = PG_GETARG_TEXT_PP(argument);
	if (VARSIZE_ANY_EXHDR(name) < NAMEDATALEN)
	{
		const char *what = text_to_cstring(name);

		if (strcmp(what, "epochs") == 0)
			return PAWS_KEY_JOB_EPOCHS;
		if (strcmp(what, "data_keys") == 0)
			return PAWS_KEY_JOB_DATA_KEYS;
		if (strcmp(what, "roots") == 0)
			return PAWS_KEY_JOB_ROOTS;
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown kind of keys"),
					errhint("Use epochs, data_keys or roots.")));
	return PAWS_KEY_JOB_EPOCHS; /* keep compiler quiet */
}

Datum
paws_rotate_keys(PG_FUNCTION_ARGS)
{
	PawsKeyJobKind kind = kind_argument(fcinfo, 0);
	int64 job;
	int slot;

	paws_vault_require(PAWS_ROOT_CARE);
	paws_vault_require(PAWS_ROOT_CRISIS);
	slot = paws_database_slot();
	paws_spi_begin();
	paws_vault_require_root(PAWS_ROOT_CARE);
	paws_vault_require_root(PAWS_ROOT_CRISIS);
	job = paws_key_job_request(kind);
	paws_wake_at_commit(slot, PAWS_WAKE_SCHEDULER);
	paws_spi_end();
	PG_RETURN_INT64(job);
}

/* Takes effect at once, whatever becomes of the transaction. */
Datum
paws_adopt_keys(PG_FUNCTION_ARGS)
{
	int adopted;

	paws_vault_require(PAWS_ROOT_CARE);
	paws_vault_require(PAWS_ROOT_CRISIS);
	(void) paws_database_slot();
	paws_spi_begin();
	paws_vault_require_root(PAWS_ROOT_CARE);
	paws_vault_require_root(PAWS_ROOT_CRISIS);
	adopted = paws_origin_adopt();
	paws_spi_end();
	PG_RETURN_INT32(adopted);
}

static void
put_time(PawsRows *rows, TimestampTz at)
{
	if (at != 0)
		paws_row_timestamp(rows, at);
	else
		paws_row_null(rows);
}

static void
return_erasure(FunctionCallInfo fcinfo, const PawsErasure *erasure)
{
	PawsRows rows;

	paws_rows_begin(&rows, fcinfo);
	if (erasure != NULL)
	{
		paws_row_datum(&rows, UUIDPGetDatum(&erasure->id));
		paws_row_text(&rows, paws_erasure_state_name(erasure->state));
		paws_row_datum(&rows, Int32GetDatum(erasure->keys));
		put_time(&rows, erasure->logical_at);
		put_time(&rows, erasure->destroyed_at);
		put_time(&rows, erasure->irrecoverable_at);
		if (erasure->signature != NULL)
			paws_row_text(&rows, paws_certificate_text(erasure));
		else
			paws_row_null(&rows);
		paws_row_end(&rows);
	}
}

/* While the salt is there that the row's digests are made with. */
static void
audit_forget(int slot, const PawsToken *subject, int64 subject_no, Datum devices)
{
	const ArrayType *array = DatumGetArrayTypeP(devices);
	PawsCrisisEvent event = {.operation = PAWS_AUDIT_FORGOTTEN,
							 .object = PAWS_AUDIT_SUBJECT,
							 .number = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)),
							 .subject_no = subject_no,
							 .before = {.bytes = subject->id, .length = sizeof(subject->id)}};

	paws_crisis_audit(slot, &event, 1);
}

/* All that is to be gone at this commit; the rest is the scheduler's. Who waits for changes of the subject
 * finds that out. */
static void
forget(int slot, const PawsToken *subject, int64 subject_no, PawsErasure *erasure)
{
	Datum devices = paws_registry_device_numbers(subject_no);

	paws_erasure_begin(PointerGetDatum(subject), subject_no, devices, erasure);
	audit_forget(slot, subject, subject_no, devices);
	paws_care_forget(subject_no);
	paws_admission_forget_at_commit(slot, subject_no);
	paws_registry_forget(subject_no);
	paws_wake_at_commit(slot, PAWS_WAKE_SCHEDULER);
	paws_wake_key_at_commit(slot, subject_no);
}

/* A snapshot of the past would leave what was committed since. */
static void
require_read_committed(void)
{
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("forget needs transaction isolation level read committed"),
				 errhint(
					 "Begin the transaction with READ COMMITTED: what others commit meanwhile has to go as "
					 "well.")));
}

/* Asked again, it answers how far it has come. */
Datum
paws_forget(PG_FUNCTION_ARGS)
{
	const PawsToken *subject = paws_token_argument(fcinfo, 0, PAWS_TOKEN_SUBJECT);
	PawsErasure erasure;
	int64 subject_no;
	int slot;

	require_read_committed();
	paws_vault_require(PAWS_ROOT_CRISIS);
	slot = paws_database_slot();
	paws_spi_begin();
	paws_vault_require_root(PAWS_ROOT_CARE);
	paws_vault_require_root(PAWS_ROOT_CRISIS);
	subject_no = paws_registry_lock_subject(subject);
	if (subject_no != 0)
		forget(slot, subject, subject_no, &erasure);
	else if (!paws_erasure_of_subject(PointerGetDatum(subject), &erasure))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("subject is not known here"),
				 errdetail("No device of it was ever registered in this database, nor was it forgotten."),
				 errhint("There is nothing of it to forget.")));
	return_erasure(fcinfo, &erasure);
	paws_spi_end();
	return (Datum) 0;
}

Datum
paws_erasure_status(PG_FUNCTION_ARGS)
{
	const PawsToken *subject = paws_token_argument(fcinfo, 0, PAWS_TOKEN_SUBJECT);
	PawsErasure erasure;
	bool found;

	(void) paws_database_slot();
	paws_spi_begin();
	found = paws_erasure_of_subject(PointerGetDatum(subject), &erasure);
	return_erasure(fcinfo, found ? &erasure : NULL);
	paws_spi_end();
	return (Datum) 0;
}

Datum
paws_verify_certificate(PG_FUNCTION_ARGS)
{
	text *certificate;

	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("certificate must not be null")));
	certificate = PG_GETARG_TEXT_PP(0);
	paws_vault_require(PAWS_ROOT_CARE);
	PG_RETURN_BOOL(paws_certificate_verify(VARDATA_ANY(certificate), VARSIZE_ANY_EXHDR(certificate)));
}

/* NULL without keys. */
Datum
paws_certificate_key(PG_FUNCTION_ARGS)
{
	bytea *key;

	if (!paws_vault_ready(PAWS_ROOT_CARE))
		PG_RETURN_NULL();
	key = palloc(VARHDRSZ + PAWS_CERTIFICATE_KEY_BYTES);
	SET_VARSIZE(key, VARHDRSZ + PAWS_CERTIFICATE_KEY_BYTES);
	paws_certificate_public_key((uint8_t *) VARDATA(key));
	PG_RETURN_BYTEA_P(key);
}
