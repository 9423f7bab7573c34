/*
 * api/identity.c - subjects, devices, entitlements.
 */
#include "postgres.h"

#include "api/promote.h"
#include "base/commit.h"
#include "base/database.h"
#include "base/errors.h"
#include "base/guarded.h"
#include "base/spi.h"
#include "care/care.h"
#include "crisis/budget.h"
#include "crisis/crisis.h"
#include "fmgr.h"
#include "guard/mint.h"
#include "queue/policy.h"
#include "registry/registry.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "vault/vault.h"

/* The longest reference of a user that is hashed. */
#define REFERENCE_MAX 1024

PG_FUNCTION_INFO_V1(paws_subject_for);
PG_FUNCTION_INFO_V1(paws_register_device);
PG_FUNCTION_INFO_V1(paws_revoke_device);
PG_FUNCTION_INFO_V1(paws_set_entitlement);
PG_FUNCTION_INFO_V1(paws_check_subject);

static text *
text_argument(FunctionCallInfo fcinfo, int argument, const char *what)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", what)));
	return PG_GETARG_TEXT_PP(argument);
}

/* Pure: the same reference gives the same subject, and nothing is written. Under other keys than the
 * database's it would be somebody else, so those are refused. */
Datum
paws_subject_for(PG_FUNCTION_ARGS)
{
	text *reference = text_argument(fcinfo, 0, "user_ref");
	Size length = VARSIZE_ANY_EXHDR(reference);
	uint8 id[PAWS_TOKEN_ID_BYTES];

	if (length == 0 || length > REFERENCE_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("user_ref is empty or too long"),
						errdetail("It must have 1 to %d bytes.", REFERENCE_MAX)));
	(void) paws_database_slot();
	paws_spi_begin();
	paws_vault_require_usable(PAWS_ROOT_CARE);
	paws_spi_end();
	paws_vault_subject_id(VARDATA_ANY(reference), length, id);
	PG_RETURN_POINTER(paws_mint_token(PAWS_TOKEN_SUBJECT, id));
}

static PawsPlatform
platform_argument(FunctionCallInfo fcinfo, int argument)
{
	text *name = text_argument(fcinfo, argument, "platform");
	int code = VARSIZE_ANY_EXHDR(name) < NAMEDATALEN ? paws_platform_code(text_to_cstring(name)) : 0;

	if (code == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown platform"),
						errhint("Use ios, android, web, desktop, wearable or server.")));
	return (PawsPlatform) code;
}

static int
device_limit(int64 subject_no)
{
	return paws_tier_policy(paws_care_tier(subject_no))->max_devices;
}

/* A device being registered. */
typedef struct Registering
{
	const PawsToken *subject;
	int64 subject_no;
	bool crisis_only;
} Registering;

static void
register_crisis(void *arg)
{
	Registering *registering = arg;

	registering->subject_no = paws_registry_ensure_subject(registering->subject);
	paws_store_ensure_counter(&paws_crisis_store, registering->subject_no);
	paws_vault_ensure_data_key(PAWS_KEYS_CRISIS, registering->subject_no);
}

/* What the ordinary lane has to be asked, and how many devices are in full service: whoever is just
 * registering another one may idle in the transaction. */
static void
register_ordinary(void *arg)
{
	Registering *registering = arg;
	int devices = paws_registry_count_devices(registering->subject_no);

	paws_vault_require_root(PAWS_ROOT_CARE);
	paws_store_ensure_counter(&paws_care_store, registering->subject_no);
	paws_vault_ensure_data_key(PAWS_KEYS_CARE, registering->subject_no);
	registering->crisis_only = devices >= device_limit(registering->subject_no);
}

/* What ails the ordinary lane's tables refuses nobody; wrong keys do, and a subject that is just forgotten.
 */
static bool
is_of_tables(int sqlstate)
{
	return sqlstate != ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE &&
		   sqlstate != ERRCODE_T_R_SERIALIZATION_FAILURE;
}

/*
 * Keys and counters of both lanes are made here, so that no push has to. Beyond the tier's number of devices,
 * or if the ordinary lane does not answer, or another registration goes on, a device is registered all the
 * same, for the crisis lane alone.
 */
Datum
paws_register_device(PG_FUNCTION_ARGS)
{
	const PawsToken *subject = paws_token_argument(fcinfo, 0, PAWS_TOKEN_SUBJECT);
	PawsPlatform platform = platform_argument(fcinfo, 1);
	PawsToken *device = paws_mint_random(PAWS_TOKEN_DEVICE, subject);
	Registering registering = {.subject = subject, .crisis_only = true};
	PawsCrisisTime time = paws_crisis_take_time();

	(void) paws_database_slot();
	paws_spi_begin();
	if (paws_vault_ready(PAWS_ROOT_CRISIS))
		paws_vault_require_root(PAWS_ROOT_CRISIS);
	if (!paws_run_guarded(register_crisis, &registering, paws_is_held))
		paws_registry_busy();
	if (!paws_run_guarded(register_ordinary, &registering, is_of_tables))
		registering.crisis_only = true;
	paws_registry_add_device(device, registering.subject_no, platform, registering.crisis_only);
	paws_commit_of_crisis();
	paws_spi_end();
	paws_crisis_end_time(&time);
	PG_RETURN_POINTER(device);
}

/* One that was registered while the ordinary lane did not answer has no counter and no key there yet. */
bool
paws_device_promote(int64 subject_no)
{
	int limit = device_limit(subject_no);

	if (!paws_registry_has_room(subject_no, limit))
		return false;
	paws_store_ensure_counter(&paws_care_store, subject_no);
	paws_vault_ensure_data_key(PAWS_KEYS_CARE, subject_no);
	paws_registry_promote(subject_no, limit);
	return true;
}

Datum
paws_revoke_device(PG_FUNCTION_ARGS)
{
	const PawsToken *token = paws_token_argument(fcinfo, 0, PAWS_TOKEN_DEVICE);
	PawsDevice device;
	bool revoked;

	(void) paws_database_slot();
	paws_spi_begin();
	paws_registry_device(token, &device);
	revoked = paws_registry_revoke(device.device_no);
	(void) paws_device_promote(device.subject_no);
	paws_spi_end();
	PG_RETURN_BOOL(revoked);
}

Datum
paws_set_entitlement(PG_FUNCTION_ARGS)
{
	const PawsToken *subject = paws_token_argument(fcinfo, 0, PAWS_TOKEN_SUBJECT);
	TimestampTz until = PG_ARGISNULL(2) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(2);
	int64 subject_no;

	if (PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("tier must not be null")));
	(void) paws_database_slot();
	paws_spi_begin();
	paws_vault_require_root(PAWS_ROOT_CARE);
	subject_no = paws_registry_ensure_subject(subject);
	paws_care_set_entitlement(subject_no, paws_tier_from_datum(PG_GETARG_DATUM(1)), until);
	/* a lower tier takes no device away that is in service */
	(void) paws_device_promote(subject_no);
	paws_spi_end();
	PG_RETURN_VOID();
}

/* For functions in SQL: the check at the door. */
Datum
paws_check_subject(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(paws_token_argument(fcinfo, 0, PAWS_TOKEN_SUBJECT));
}
