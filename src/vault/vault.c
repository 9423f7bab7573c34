/*
 * vault/vault.c - the keys of the server: purpose keys of the base secrets.
 */
#include "postgres.h"

#include <sodium.h>

#include "base/shmem.h"
#include "vault/keyring.h"
#include "vault/purpose.h"
#include "vault/secret.h"
#include "vault/vault.h"

#define SUBJECT_ID_LABEL "subject id"

void
paws_vault_init(void)
{
	paws_roots_load();
	paws_keyring_load();
}

bool
paws_vault_ready(PawsRoot root)
{
	return paws_vault_problem(root) == NULL;
}

const char *
paws_vault_problem(PawsRoot root)
{
	const char *problem = paws_keyring_root_problem(root);

	/* without its root nothing of it can be in the keyring */
	if (problem != NULL && paws_root_problem(root) != NULL)
		return paws_root_problem(root);
	return problem;
}

const char *
paws_vault_explain(PawsRoot root)
{
	if (paws_vault_ready(root))
		return NULL;
	return paws_root_problem(root) != NULL ? paws_root_explain(root) : paws_keyring_root_explain(root);
}

static const char *
hint_for(PawsRoot root)
{
	if (paws_root_problem(root) != NULL)
		return paws_root_hint(root);
	if (paws_keyring_problem() != NULL)
		return paws_keyring_hint(paws_keyring_problem());
	return psprintf("Let \"paws_sync.%s_root\" give the id that the keyring is wrapped under, and "
					"\"paws_sync.keyring_file\" name the keyring of this root; the server's log has more.",
					paws_root_name(root));
}

void
paws_vault_require(PawsRoot root)
{
	if (paws_vault_ready(root))
		return;
	paws_shmem_require(); /* not preloaded, no key was looked for: then that is what is wrong */
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("paws_sync has no %s keys", paws_root_name(root)),
					errdetail("%s", paws_vault_explain(root)), errhint("%s", hint_for(root))));
}

bool
paws_vault_memory_locked(void)
{
	return paws_secret_locked();
}

void
paws_vault_purpose_key(PawsRoot root, const char *label, uint8_t key[32])
{
	uint8_t base[PAWS_KEYRING_KEY_BYTES];

	paws_vault_require(root);
	if (!paws_keyring_base(root, PAWS_FIRST_BASE, base))
		elog(ERROR, "a base secret is gone");
	paws_purpose_key(base, label, key);
	sodium_memzero(base, sizeof(base));
}

void
paws_vault_subject_id(const char *reference, size_t length, uint8_t id[16])
{
	uint8_t key[32];

	paws_vault_purpose_key(PAWS_ROOT_CARE, SUBJECT_ID_LABEL, key);
	crypto_generichash(id, 16, (const uint8_t *) reference, length, key, sizeof(key));
	sodium_memzero(key, sizeof(key));
}
