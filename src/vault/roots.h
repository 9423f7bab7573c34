/*
 * vault/roots.h - the root keys: three custodians, each with a provider of its own.
 *
 * A root wraps what is in the keyring and nothing else. Content of a provider, file or command alike: 1 to 8
 * lines of an id (decimal, 1 to 2147483647, strictly ascending), one space and 64 hexadecimal digits; the
 * last line may lack its newline. The highest id is the current one; older ids only open. No key is all
 * zeros, and none is used twice, least of all by two custodians (vault/root_grammar.h).
 */
#ifndef PAWS_VAULT_ROOTS_H
#define PAWS_VAULT_ROOTS_H

#include "postgres.h"
#include "vault/root_grammar.h"

/* Whose key it is. The numbers are stored (paws_vault.root_check, wrapped keys) and never given anew. */
typedef enum PawsRoot
{
	PAWS_ROOT_CARE = 1,
	PAWS_ROOT_CRISIS = 2,
	PAWS_ROOT_BILLING = 3
} PawsRoot;

#define PAWS_ROOTS 3

/*
 * Reads all three from their providers into memory for secrets. Called once, by the postmaster; never raises
 * an error: what is wrong with one is its problem word, and costs that root alone.
 */
extern void paws_roots_load(void);

/* "care", "crisis", "billing". */
extern const char *paws_root_name(PawsRoot root);

/* The current id of a root, 0 if it is not loaded. */
extern uint32 paws_root_current(PawsRoot root);

/* True if this id of a root is loaded. */
extern bool paws_root_has(PawsRoot root, uint32 id);

/*
 * A 32-byte key for one purpose, derived from one id of a root by keyed BLAKE2b over the length-prefixed
 * label. False if that id is not loaded. The caller wipes its copy.
 */
extern bool paws_root_purpose_key(PawsRoot root, uint32 id, const char *label, uint8_t key[32]);

/*
 * One closed word (root_problem.c) why a root is not loaded, NULL if it is; a sentence that explains it; and
 * a hint that names the setting and what to do. Static strings.
 */
extern const char *paws_root_problem(PawsRoot root);
extern const char *paws_root_explain(PawsRoot root);
extern const char *paws_root_hint(PawsRoot root);

#endif
