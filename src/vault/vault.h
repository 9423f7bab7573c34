/*
 * vault/vault.h - keys and sealing inside the server.
 *
 * The postmaster reads the root keys (roots.h) and the keyring (keyring.h) at start; processes inherit them
 * and lock their copy again, since a memory lock does not survive fork. The roots wrap what is in the
 * keyring. Purpose keys are derived from the first base secret of a root by labelled keyed BLAKE2b and never
 * stored, so that they outlive the roots. A data key is random, one per subject and lane, stored wrapped.
 */
#ifndef PAWS_VAULT_H
#define PAWS_VAULT_H

#include "postgres.h"
#include "base/spi.h"
#include "vault/envelope.h"
#include "vault/roots.h"

#define PAWS_SEAL_BYTES 16

/* Which table holds the wrapped data keys: the crisis lane keeps its own. */
typedef enum PawsKeyHome
{
	PAWS_KEYS_CARE = 0,  /* paws_vault.data_key: symmetric keys */
	PAWS_KEYS_CRISIS = 1 /* paws_crisis.subject_key: key pairs */
} PawsKeyHome;

/* The root that keeps the data keys of a home. */
static inline PawsRoot
paws_vault_home_root(PawsKeyHome home)
{
	return home == PAWS_KEYS_CRISIS ? PAWS_ROOT_CRISIS : PAWS_ROOT_CARE;
}

/* Called from _PG_init while preloading: loads root keys and keyring. Never errors: a failed load is a LOG
 * line and a problem word. */
extern void paws_vault_init(void);

/*
 * True if the keys of a root are there: the root, and its base secret in the keyring. paws_vault_problem: one
 * closed word why not (root_problem.c if it is the root, else keyring.h), or NULL; paws_vault_explain: a
 * sentence, or NULL.
 */
extern bool paws_vault_ready(PawsRoot root);
extern const char *paws_vault_problem(PawsRoot root);
extern const char *paws_vault_explain(PawsRoot root);

/* Errors 55000 with a hint naming the setting and the problem, unless the keys of the root are there. */
extern void paws_vault_require(PawsRoot root);

/* Whether the keys of a root are those that this database was sealed under. Needs them ready, and SPI
 * connected. */
typedef enum PawsRootMatch
{
	PAWS_ROOT_MATCHES,
	PAWS_ROOT_NEW, /* no device was registered here yet, or not since this root is there */
	PAWS_ROOT_DIFFERS
} PawsRootMatch;

extern PawsRootMatch paws_vault_match_root(PawsRoot root);

/*
 * True if the keys of a root are there and are not those of another database. Without them being usable the
 * crisis lane writes as it does without keys, so that the right ones can read it later. Needs SPI connected.
 * paws_vault_require_usable errors 55000 with a hint instead.
 */
extern bool paws_vault_usable(PawsRoot root);
extern void paws_vault_require_usable(PawsRoot root);

/* Binds a new database to the keys of a root; errors 55000 with a hint if it is bound to others. Needs what
 * paws_vault_match_root needs. */
extern void paws_vault_require_root(PawsRoot root);

/*
 * What the keys of a root give under their check purpose, 32 bytes: the same as long as the database is used
 * with its keys, and known without them. Tells nothing of the keys, and is no secret from whoever reads the
 * database. False, and zeros, if no keys were used here yet. Needs SPI connected.
 */
extern bool paws_vault_check_value(PawsRoot root, uint8_t value[32]);

/*
 * A 32-byte key for one purpose, derived from the first base secret of a root by keyed BLAKE2b over the
 * length-prefixed label; each purpose has a label of its own. Errors 55000 without that root's keys. The
 * caller wipes its copy.
 */
extern void paws_vault_purpose_key(PawsRoot root, const char *label, uint8_t key[32]);

/* True if this process's copy of the secrets is locked in memory. */
extern bool paws_vault_memory_locked(void);

/*
 * The id of a subject: keyed BLAKE2b-128 over the application's reference, so the reference itself is kept
 * nowhere.
 */
extern void paws_vault_subject_id(const char *reference, size_t length, uint8_t id[16]);

/* Makes and stores the key of a subject if it has none. Needs SPI connected. Errors 55000 without the root.
 */
extern void paws_vault_ensure_data_key(PawsKeyHome home, int64 subject_no);

/* The longest payload, in bytes; tiers and paws_sync.crisis_max_payload allow no more. */
#define PAWS_PAYLOAD_MAX (64 * 1024 * 1024)

/* How a payload of the ordinary lane is sealed; compressed first, where that makes it smaller. */
typedef struct PawsSealForm
{
	uint8_t suite;
	PawsCodec codec;
	int level;
} PawsSealForm;

/*
 * False if a payload of the ordinary lane cannot be sealed with this suite, for want of keys or of a cipher:
 * what paws_vault_seal would error for. Needs SPI connected; reads nothing of the ordinary lane.
 */
extern bool paws_vault_can_seal(uint8_t suite);

/*
 * Seals a payload into a palloc'd bytea. The crisis lane takes no form: it seals to the subject's public key,
 * inside an outer layer whenever the crisis root is usable and the machine has the cipher, and needs no
 * secret. Needs SPI connected. Errors 55000 without keys, 0A000 on a machine that lacks the cipher, 54000
 * above PAWS_PAYLOAD_MAX, PW003 if the subject has no key.
 */
extern bytea *paws_vault_seal(PawsKeyHome home, int64 subject_no, const PawsEnvelopeContext *context,
							  const PawsSealForm *form, const uint8_t *payload, size_t length);

/*
 * False if an envelope is whole as far as one can see, but what opens it is not here: the keys of a root that
 * has a part in it, or a cipher that this machine lacks. It is sealed then, not broken. Needs SPI connected.
 */
extern bool paws_vault_can_open(PawsKeyHome home, const bytea *envelope);

/* True if an envelope does not open because the keyring is an older copy. Needs SPI connected. */
extern bool paws_vault_is_ahead(PawsKeyHome home, int64 subject_no, const bytea *envelope);

/*
 * Opens an envelope into a palloc'd bytea, as it was before compression; NULL on any defect. Needs SPI
 * connected. Where paws_vault_can_open is false it errors: 55000 for keys, 0A000 for a cipher. Errors PW003
 * if the data key itself does not open, but not in the crisis lane: there it costs the envelope alone.
 */
extern bytea *paws_vault_open(PawsKeyHome home, int64 subject_no, const PawsEnvelopeContext *context,
							  const bytea *envelope);

/* The same, but NULL as well where the data key does not open, or keys or cipher are missing. */
extern bytea *paws_vault_open_or_null(PawsKeyHome home, int64 subject_no, const PawsEnvelopeContext *context,
									  const bytea *envelope);

/*
 * What gets another process ready to open what this one sealed last in the crisis lane: an ephemeral public
 * key, and the id of the data key. No secret, and no harm if it is of another envelope. False for an envelope
 * that is none.
 */
typedef struct PawsVaultHint
{
	uint8_t ephemeral[PAWS_EPHEMERAL_BYTES];
	uint8_t key_id[PAWS_DATA_KEY_ID_BYTES];
} PawsVaultHint;

extern bool paws_vault_hint(const bytea *envelope, PawsVaultHint *hint);

/* Gets ready for one envelope of a subject in the crisis lane, if the keys are here. Needs SPI connected.
 * NULL: for nothing any more; that needs no SPI. */
extern void paws_vault_expect(int64 subject_no, const PawsVaultHint *hint);

/* At the end of the current transaction's commit, makes ready what the next crisis payload is sealed with, of
 * whatever subject: that would cost time before the commit then. */
extern void paws_vault_seal_ahead_at_commit(void);

/*
 * Seals anew, under the subject's current key, what an envelope holds: palloc'd, of the same suite; in the
 * crisis lane of the one that is best now. NULL if it does not open, for whatever reason. Errors like
 * paws_vault_seal.
 */
extern bytea *paws_vault_reseal(PawsKeyHome home, int64 subject_no, const PawsEnvelopeContext *context,
								const bytea *envelope);

/* Offers the shared memory of what follows. Called from _PG_init while preloading. */
extern void paws_vault_seals_init(void);

/*
 * All that a database held from a time without keys has its seal now. From here on, to the next start, what
 * has none is not taken: whoever holds the keys writes none such.
 */
extern void paws_vault_seals_complete(int slot);

/*
 * The MAC over an envelope's commitment and the revision that the store assigned, so that an old envelope
 * cannot be put back under a newer revision. Writes PAWS_SEAL_BYTES; false, and nothing written, in the
 * crisis lane without a usable root, which writes all the same. Needs SPI connected. Errors 55000 without
 * keys, PW003 if it is no envelope.
 */
extern bool paws_vault_revision_seal(PawsKeyHome home, const bytea *envelope, int64 subject_no,
									 const uint8_t doc_id[16], int64 revision, uint8_t seal[PAWS_SEAL_BYTES]);

/*
 * Compares in constant time. Without a seal (NULL) only that is taken which the crisis lane writes without
 * keys: suite 0x03, until paws_vault_seals_complete. Needs SPI connected. Errors 55000 without keys.
 */
extern bool paws_vault_revision_check(PawsKeyHome home, const bytea *envelope, int64 subject_no,
									  const uint8_t doc_id[16], int64 revision, const uint8_t *seal);

#endif
