/*
 * vault/root_problem.h - the closed list of what can be wrong with a root, in words for people.
 */
#ifndef PAWS_VAULT_ROOT_PROBLEM_H
#define PAWS_VAULT_ROOT_PROBLEM_H

#include "vault/roots.h"

/* A sentence that explains a problem word. A static string. */
extern const char *paws_root_problem_sentence(const char *problem);

/* What to do about it, as a hint that names the setting. A static string. */
extern const char *paws_root_problem_hint(PawsRoot root, const char *problem);

#endif
