/*
 * vault/roots.c - the three roots of this server.
 *
 * Ids and problem words are in ordinary memory, so that asking for them needs no secret; keys are in memory
 * for secrets.
 */
#include "postgres.h"

#include <sodium.h>

#include "base/log_safe.h"
#include "base/settings.h"
#include "vault/purpose.h"
#include "vault/root_problem.h"
#include "vault/root_provider.h"
#include "vault/roots.h"
#include "vault/secret.h"

typedef struct RootState
{
	const char *problem; /* NULL: loaded */
	int count;
	uint32 ids[PAWS_ROOT_IDS_MAX]; /* ascending */
} RootState;

/* In memory for secrets. */
typedef struct RootSecrets
{
	uint8_t key[PAWS_ROOTS][PAWS_ROOT_IDS_MAX][PAWS_ROOT_KEY_BYTES];

	/* Where the text of a provider and its lines are put while it is read: wiped after each. The text has one
	 * byte more than any good one, to notice a longer one. */
	PawsRootEntry lines[PAWS_ROOT_IDS_MAX];
	uint8_t text[PAWS_ROOT_TEXT_MAX + 1];
} RootSecrets;

static const char *const names[PAWS_ROOTS] = {"care", "crisis", "billing"};

static RootState states[PAWS_ROOTS] = {{.problem = "unset"}, {.problem = "unset"}, {.problem = "unset"}};
static RootSecrets *secrets = NULL;

static void
fail(int number, const char *problem)
{
	states[number].problem = problem;
	states[number].count = 0;
	if (secrets != NULL)
		sodium_memzero(secrets->key[number], sizeof(secrets->key[number]));
}

/* The problem of the server that all roots have, if any. */
static const char *
prepare(void)
{
	secrets = paws_secret_try_take(sizeof(RootSecrets));
	if (secrets == NULL)
		return "memory";
	if (paws_require_locked_memory && !paws_secret_locked())
		return "unlocked";
	return NULL;
}

static void
load(int number, const char *value)
{
	RootState *state = &states[number];
	PawsRootText text = {.bytes = secrets->text, .size = sizeof(secrets->text)};
	const char *problem = paws_root_provide(value, &text);

	if (problem == NULL)
		problem = paws_root_parse(text.bytes, text.length, secrets->lines, &state->count);
	for (int i = 0; problem == NULL && i < state->count; i++)
	{
		state->ids[i] = secrets->lines[i].id;
		memcpy(secrets->key[number][i], secrets->lines[i].key, PAWS_ROOT_KEY_BYTES);
	}
	sodium_memzero(secrets->text, sizeof(secrets->text));
	sodium_memzero(secrets->lines, sizeof(secrets->lines));
	if (problem != NULL)
		fail(number, problem);
	else
		state->problem = NULL;
}

static bool
share_a_key(int one, int other)
{
	for (int i = 0; i < states[one].count; i++)
		for (int j = 0; j < states[other].count; j++)
			if (sodium_memcmp(secrets->key[one][i], secrets->key[other][j], PAWS_ROOT_KEY_BYTES) == 0)
				return true;
	return false;
}

/* Which of two is the wrong one nobody can tell, so both are refused. */
static void
refuse_shared_keys(void)
{
	bool shared[PAWS_ROOTS] = {false};

	for (int one = 0; one < PAWS_ROOTS; one++)
		for (int other = 0; other < PAWS_ROOTS; other++)
			if (one != other && share_a_key(one, other))
				shared[one] = true;
	for (int number = 0; number < PAWS_ROOTS; number++)
		if (shared[number])
			fail(number, "same");
}

static void
report(void)
{
	for (int number = 0; number < PAWS_ROOTS; number++)
	{
		PawsRoot root = (PawsRoot) (number + 1);

		if (states[number].problem != NULL)
			ereport_domain(LOG, PAWS_LOG_SAFE,
						   (errmsg("paws_sync runs without its %s root", paws_root_name(root)),
							errdetail("%s", paws_root_explain(root)), errhint("%s", paws_root_hint(root))));
	}
	if (secrets != NULL && !paws_require_locked_memory && !paws_secret_locked())
		ereport_domain(LOG, PAWS_LOG_SAFE,
					   (errmsg("memory for secrets of paws_sync could not be locked"),
						errdetail("Keys may be written to swap space."),
						errhint("Raise the limit on locked memory of the server's user.")));
}

void
paws_roots_load(void)
{
	const char *const values[PAWS_ROOTS] = {paws_care_root, paws_crisis_root, paws_billing_root};
	const char *problem = prepare();

	for (int number = 0; number < PAWS_ROOTS; number++)
		if (problem != NULL)
			fail(number, problem);
		else
			load(number, values[number]);
	refuse_shared_keys();
	report();
}

const char *
paws_root_name(PawsRoot root)
{
	return names[root - 1];
}

uint32
paws_root_current(PawsRoot root)
{
	const RootState *state = &states[root - 1];

	return state->count > 0 ? state->ids[state->count - 1] : 0;
}

/* Where an id of a root stands, -1 if it is not loaded. */
static int
index_of(PawsRoot root, uint32 id)
{
	const RootState *state = &states[root - 1];

	for (int i = 0; i < state->count; i++)
		if (state->ids[i] == id)
			return i;
	return -1;
}

bool
paws_root_has(PawsRoot root, uint32 id)
{
	return index_of(root, id) >= 0;
}

bool
paws_root_purpose_key(PawsRoot root, uint32 id, const char *label, uint8_t key[32])
{
	int index = index_of(root, id);

	if (index < 0)
		return false;
	paws_secret_relock();
	paws_purpose_key(secrets->key[root - 1][index], label, key);
	return true;
}

const char *
paws_root_problem(PawsRoot root)
{
	return states[root - 1].problem;
}

const char *
paws_root_explain(PawsRoot root)
{
	const char *problem = paws_root_problem(root);

	return problem != NULL ? paws_root_problem_sentence(problem) : "The root is loaded.";
}

const char *
paws_root_hint(PawsRoot root)
{
	const char *problem = paws_root_problem(root);

	return problem != NULL ? paws_root_problem_hint(root, problem) : "";
}
