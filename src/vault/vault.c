/*
 * vault/vault.c - the keys of the server.
 */
#include "postgres.h"

#include <sodium.h>

#include "base/shmem.h"
#include "vault/roots.h"
#include "vault/secret.h"
#include "vault/vault.h"

#define SUBJECT_ID_LABEL "subject id"

void
paws_vault_init(void)
{
	paws_roots_load();
}

bool
paws_vault_ready(void)
{
	return paws_root_current(PAWS_ROOT_CARE) != 0;
}

const char *
paws_vault_problem(void)
{
	return paws_root_problem(PAWS_ROOT_CARE);
}

void
paws_vault_require(void)
{
	if (paws_vault_ready())
		return;
	paws_shmem_require(); /* not preloaded, no key was looked for: then that is what is wrong */
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("paws_sync has no root key"),
					errdetail("%s", paws_root_explain(PAWS_ROOT_CARE)),
					errhint("%s", paws_root_hint(PAWS_ROOT_CARE))));
}

bool
paws_vault_memory_locked(void)
{
	return paws_vault_ready() && paws_secret_locked();
}

void
paws_vault_purpose_key(const char *label, uint8_t key[32])
{
	paws_vault_require();
	(void) paws_root_purpose_key(PAWS_ROOT_CARE, paws_root_current(PAWS_ROOT_CARE), label, key);
}

void
paws_vault_subject_id(const char *reference, size_t length, uint8_t id[16])
{
	uint8_t key[32];

	paws_vault_purpose_key(SUBJECT_ID_LABEL, key);
	crypto_generichash(id, 16, (const uint8_t *) reference, length, key, sizeof(key));
	sodium_memzero(key, sizeof(key));
}
