/*
 * api/define.c - define_collection: what a kind of documents is, and how it is sealed.
 */
#include "postgres.h"

#include "base/database.h"
#include "base/spi.h"
#include "fmgr.h"
#include "registry/registry.h"
#include "utils/builtins.h"
#include "vault/envelope.h"

PG_FUNCTION_INFO_V1(paws_define_collection);

static void
refuse_null(FunctionCallInfo fcinfo, int argument, const char *what)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", what)));
}

/* The name of a code, which is short; anything longer is none. */
static const char *
short_name(FunctionCallInfo fcinfo, int argument)
{
	text *name = PG_GETARG_TEXT_PP(argument);

	return VARSIZE_ANY_EXHDR(name) < NAMEDATALEN ? text_to_cstring(name) : "";
}

static PawsConflictPolicy
conflict_argument(FunctionCallInfo fcinfo, int argument)
{
	int policy;

	refuse_null(fcinfo, argument, "on_conflict");
	policy = paws_conflict_code(short_name(fcinfo, argument));
	if (policy == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown conflict policy"),
						errhint("Use server_order, branch or append.")));
	return (PawsConflictPolicy) policy;
}

/* What people write and do is sealed under two custodians unless somebody decides otherwise. */
static PawsSealingPolicy
default_sealing(PawsClass klass)
{
	switch (klass)
	{
		case PAWS_CLASS_EMERGENCY:
		case PAWS_CLASS_SAFETY:
		case PAWS_CLASS_SESSION:
		case PAWS_CLASS_INTERACTIVE:
		case PAWS_CLASS_STANDARD:
			return PAWS_SEALING_LAYERED;
		case PAWS_CLASS_CONTROL:
		case PAWS_CLASS_BULK:
		case PAWS_CLASS_BACKGROUND:
			return PAWS_SEALING_STANDARD;
	}
	return PAWS_SEALING_LAYERED;
}

static PawsSealingPolicy
sealing_argument(FunctionCallInfo fcinfo, int argument, PawsClass klass)
{
	int sealing;

	if (PG_ARGISNULL(argument))
		return default_sealing(klass);
	sealing = paws_sealing_code(short_name(fcinfo, argument));
	if (sealing == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown sealing"),
						errhint("Use standard, aes, layered or client.")));
	if (paws_class_lane(klass) == PAWS_LANE_CRISIS && sealing != PAWS_SEALING_LAYERED)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("crisis collections have one sealing"),
				 errdetail("Their documents are sealed to the subject's public key, in every collection."),
				 errhint("Leave out sealing.")));
	return (PawsSealingPolicy) sealing;
}

/* Refused now, where somebody reads the answer, and not with every push. */
static void
require_cipher(const PawsCollection *definition)
{
	bool aes = definition->sealing == PAWS_SEALING_AES || definition->sealing == PAWS_SEALING_LAYERED;

	if (aes && paws_class_lane(definition->klass) == PAWS_LANE_ORDINARY &&
		!paws_suite_available(PAWS_SUITE_AES256GCM))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("this machine has no AES instructions"),
				 errdetail("AES-256-GCM is not used without them."), errhint("Pass sealing => 'standard'.")));
}

/* Sizes of compressed payloads tell of their content, so nothing sensitive is compressed unless asked for. */
static bool
compressible_argument(FunctionCallInfo fcinfo, int argument, const PawsCollection *definition)
{
	bool ordinary = paws_class_lane(definition->klass) == PAWS_LANE_ORDINARY;
	bool compressible;

	if (PG_ARGISNULL(argument))
		return ordinary &&
			   (definition->sealing == PAWS_SEALING_STANDARD || definition->sealing == PAWS_SEALING_AES);
	compressible = PG_GETARG_BOOL(argument);
	if (compressible && (!ordinary || definition->sealing == PAWS_SEALING_CLIENT))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("collection cannot be compressible"),
						errdetail("Payloads that the client sealed do not compress, and those of the crisis "
								  "lane must not tell anything by their size."),
						errhint("Leave out compressible.")));
	return compressible;
}

Datum
paws_define_collection(PG_FUNCTION_ARGS)
{
	PawsCollection definition = {0};
	text *name;

	refuse_null(fcinfo, 0, "name");
	refuse_null(fcinfo, 1, "class");
	(void) paws_database_slot(); /* it says when preload or extension are missing */
	name = PG_GETARG_TEXT_PP(0);
	definition.klass = paws_class_from_datum(PG_GETARG_DATUM(1));
	definition.on_conflict = conflict_argument(fcinfo, 2);
	definition.sealing = sealing_argument(fcinfo, 3, definition.klass);
	definition.compressible = compressible_argument(fcinfo, 4, &definition);
	require_cipher(&definition);
	paws_spi_begin();
	paws_registry_define(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), &definition);
	paws_spi_end();
	PG_RETURN_VOID();
}
