/*
 * vault/vault.c - the root key of the server and the purpose keys under it.
 */
#include "postgres.h"

#include <sodium.h>

#include "port/pg_bswap.h"

#include "base/log_safe.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "vault/root_key.h"
#include "vault/secret.h"
#include "vault/vault.h"

#define PURPOSE_LABEL    "paws_sync purpose v1"
#define SUBJECT_ID_LABEL "subject id"

#define ROOT_KEY_HINT                                                                                        \
	"Let \"paws_sync.root_key_file\" name a file of the server's user with mode 0600, "                      \
	"outside the data directory, and restart the server."

static const uint8_t *root_key = NULL;
static const char *root_problem = "unset";

void
paws_vault_init(void)
{
	if (sodium_init() < 0)
	{
		root_problem = "missing";
		ereport(LOG, (errmsg("libsodium could not be initialised; no keys are loaded")));
		return;
	}
	root_key = paws_root_key_load(paws_root_key_file, &root_problem);
	if (root_key == NULL)
		ereport_domain(LOG, PAWS_LOG_SAFE,
					   (errmsg("paws_sync runs without keys"),
						errdetail("%s", paws_root_key_explain(root_problem)), errhint(ROOT_KEY_HINT)));
	else if (!paws_secret_locked())
		ereport_domain(LOG, PAWS_LOG_SAFE,
					   (errmsg("memory of paws_sync's keys could not be locked"),
						errdetail("Keys may be written to swap space."),
						errhint("Raise the limit on locked memory of the server's user.")));
}

bool
paws_vault_ready(void)
{
	return root_key != NULL;
}

const char *
paws_vault_problem(void)
{
	return root_key != NULL ? NULL : root_problem;
}

void
paws_vault_require(void)
{
	if (root_key != NULL)
		return;
	paws_shmem_require(); /* not preloaded, no key was looked for: then that is what is wrong */
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("paws_sync has no root key"),
					errdetail("%s", paws_root_key_explain(root_problem)), errhint(ROOT_KEY_HINT)));
}

bool
paws_vault_memory_locked(void)
{
	return root_key != NULL && paws_secret_locked();
}

/* A text with its length (4 bytes, big-endian) in front. */
static void
hash_label(crypto_generichash_state *state, const char *label)
{
	uint32 length = strlen(label);
	uint32 prefix = pg_hton32(length);

	crypto_generichash_update(state, (const uint8_t *) &prefix, sizeof(prefix));
	crypto_generichash_update(state, (const uint8_t *) label, length);
}

void
paws_vault_purpose_key(const char *label, uint8_t key[32])
{
	crypto_generichash_state state;

	paws_vault_require();
	paws_secret_relock();
	crypto_generichash_init(&state, root_key, PAWS_ROOT_KEY_BYTES, 32);
	hash_label(&state, PURPOSE_LABEL);
	hash_label(&state, label);
	crypto_generichash_final(&state, key, 32);
	sodium_memzero(&state, sizeof(state));
}

void
paws_vault_subject_id(const char *reference, size_t length, uint8_t id[16])
{
	uint8_t key[32];

	paws_vault_purpose_key(SUBJECT_ID_LABEL, key);
	crypto_generichash(id, 16, (const uint8_t *) reference, length, key, sizeof(key));
	sodium_memzero(key, sizeof(key));
}
