/*
 * guard/log_posture.c - what SQL cannot see of the ways on which values leave a server.
 */
#include "postgres.h"

#include <dlfcn.h>
#include <sys/resource.h>

#include "base/settings.h"
#include "fmgr.h"
#include "funcapi.h"
#include "guard/log_scrub.h"
#include "utils/builtins.h"

#define COLUMNS 4

PG_FUNCTION_INFO_V1(paws_log_probe);

static void
put(ReturnSetInfo *result, const char *setting, const char *value, const char *wanted, bool good)
{
	Datum values[COLUMNS] = {CStringGetTextDatum(setting), CStringGetTextDatum(value),
							 CStringGetTextDatum(wanted), BoolGetDatum(good)};
	bool nulls[COLUMNS] = {false};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* The name of the library that a hook is in, without folder and ending; a palloc'd text. */
static char *
library_of(emit_log_hook_type hook)
{
	Dl_info info;
	const char *slash;
	char *name;

	if (hook == NULL)
		return pstrdup("none");
	if (dladdr((void *) hook, &info) == 0 || info.dli_fname == NULL)
		return pstrdup("unknown");
	slash = strrchr(info.dli_fname, '/');
	name = pstrdup(slash == NULL ? info.dli_fname : slash + 1);
	name[strcspn(name, ".")] = '\0';
	return name;
}

static void
put_core_limit(ReturnSetInfo *result)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_CORE, &limit) != 0)
		put(result, "core file size", "unknown", "0", false);
	else if (limit.rlim_cur == RLIM_INFINITY)
		put(result, "core file size", "unlimited", "0", false);
	else
		put(result, "core file size", psprintf("%lld", (long long) limit.rlim_cur), "0", limit.rlim_cur == 0);
}

Datum
paws_log_probe(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	emit_log_hook_type next = paws_log_scrub_next();

	InitMaterializedSRF(fcinfo, 0);
	put(result, "emit_log_hook", library_of(emit_log_hook), "paws_sync", paws_log_scrub_is_first());
	put(result, "emit_log_hook behind paws_sync", library_of(next), "none",
		next == NULL || paws_log_scrub == PAWS_LOG_SCRUB_ALL);
	put_core_limit(result);
	return (Datum) 0;
}
