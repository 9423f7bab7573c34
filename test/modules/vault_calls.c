/*
 * vault_calls.c - what the vault has in this process, for tests. The library paws_sync is preloaded, which
 * resolves the names.
 */
#include "postgres.h"

#include "fmgr.h"

#include "vault/key_cache.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(cached_keys);

/* How many opened data keys the process holds. */
Datum
cached_keys(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(paws_key_cache_count());
}
