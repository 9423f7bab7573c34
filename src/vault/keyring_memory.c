/*
 * vault/keyring_memory.c - the keyring that this process has: its lines, and the keys that it could open.
 *
 * Base secrets are opened once and stay. Epochs are opened when they are used, and what opens them is here no
 * longer than that takes: it is trimmed at the end of the transaction, and in the postmaster as soon as it is
 * in shared memory. So an epoch that is destroyed is in the memory of no process that does nothing.
 */
#include "postgres.h"

#include <sodium.h>

#include "access/xlog.h"
#include "datatype/timestamp.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "base/settings.h"
#include "vault/keyring_private.h"
#include "vault/secret.h"

#define WRAP_LABEL "keyring wrap"
#define EPOCH_GAP  ((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

StaticAssertDecl(PAWS_ROOTS == PAWS_KEYRING_ROOTS, "the file knows each root");

typedef uint8_t Key[PAWS_KEYRING_KEY_BYTES];

typedef enum State
{
	NOT_TRIED = 0,
	OPEN,
	CLOSED
} State;

static PawsKeyringFile held;
static Key *keys = NULL; /* of held.lines, by index, where they are open */
static uint8 state[PAWS_KEYRING_ENTRIES_MAX];
static bool trimmed = false; /* held.lines lack the wrapped keys of epochs */

bool
paws_keyring_prepare(void)
{
	if (keys == NULL)
		keys = paws_secret_try_take(PAWS_KEYRING_ENTRIES_MAX * sizeof(Key));
	return keys != NULL;
}

bool
paws_keyring_may_hold(void)
{
	return !paws_require_locked_memory || paws_secret_locked();
}

const PawsKeyringFile *
paws_keyring_held(void)
{
	return &held;
}

static bool
open_line(const PawsKeyringLine *line, Key key)
{
	uint8_t wrap_key[32];
	bool open;

	if (!paws_root_purpose_key((PawsRoot) line->root, line->root_id, WRAP_LABEL, wrap_key))
		return false;
	open = paws_keyring_unwrap(line, key, wrap_key);
	sodium_memzero(wrap_key, sizeof(wrap_key));
	return open;
}

const uint8_t *
paws_keyring_key(int index)
{
	if (index < 0 || index >= held.entries)
		return NULL;
	if (state[index] == NOT_TRIED)
		state[index] = open_line(&held.lines[index], keys[index]) ? OPEN : CLOSED;
	return state[index] == OPEN ? keys[index] : NULL;
}

bool
paws_keyring_trimmed(void)
{
	return trimmed;
}

void
paws_keyring_trim(void)
{
	for (int i = 0; i < held.entries && !trimmed; i++)
	{
		if (held.lines[i].kind != PAWS_KEYRING_EPOCH)
			continue;
		sodium_memzero(held.lines[i].wrapped, sizeof(held.lines[i].wrapped));
		sodium_memzero(keys[i], sizeof(Key));
		state[i] = NOT_TRIED;
	}
	trimmed = held.generation != 0;
}

bool
paws_keyring_seal(PawsKeyringLine *line, const uint8_t key[PAWS_KEYRING_KEY_BYTES])
{
	uint32 root_id = paws_root_current((PawsRoot) line->root);
	uint8_t wrap_key[32];

	if (!paws_root_purpose_key((PawsRoot) line->root, root_id, WRAP_LABEL, wrap_key))
		return false;
	line->root_id = root_id;
	paws_keyring_wrap(line, key, wrap_key);
	sodium_memzero(wrap_key, sizeof(wrap_key));
	return true;
}

bool
paws_keyring_seal_new(PawsKeyringLine *line)
{
	Key key;
	bool sealed;

	randombytes_buf(key, sizeof(key));
	sealed = paws_keyring_seal(line, key);
	sodium_memzero(key, sizeof(key));
	return sealed;
}

/* True if the file has an epoch as destroyed, or may have had it. */
static bool
was_destroyed(const PawsKeyringFile *file, const PawsKeyringLine *line)
{
	return line->kind == PAWS_KEYRING_EPOCH &&
		   (file->count - file->entries == PAWS_KEYRING_DESTROYED_MAX ||
			paws_keyring_find(file, PAWS_KEYRING_DESTROYED, line->root, line->number) >= 0);
}

/* Why a file cannot take the place of line `index` of the keyring in memory, NULL if it can. */
static const char *
find_conflict(const PawsKeyringFile *file, int index)
{
	const PawsKeyringLine *line = &held.lines[index];
	int there = paws_keyring_find(file, (PawsKeyringKind) line->kind, line->root, line->number);
	Key mine;
	Key theirs;
	bool same;

	if (there < 0)
		return was_destroyed(file, line) ? NULL : "other";
	if (memcmp(line, &file->lines[there], sizeof(*line)) == 0)
		return NULL;
	if (!paws_root_has((PawsRoot) line->root, file->lines[there].root_id))
		return "wrong_root";
	same = open_line(line, mine) && open_line(&file->lines[there], theirs) &&
		   sodium_memcmp(mine, theirs, sizeof(Key)) == 0;
	sodium_memzero(mine, sizeof(mine));
	sodium_memzero(theirs, sizeof(theirs));
	return same ? NULL : "other";
}

/* What does not open here is not compared; nor what is not here. */
static bool
is_known(int index)
{
	Key key;
	bool known;

	if (state[index] != NOT_TRIED || (trimmed && held.lines[index].kind == PAWS_KEYRING_EPOCH))
		return state[index] == OPEN;
	known = open_line(&held.lines[index], key);
	sodium_memzero(key, sizeof(key));
	return known;
}

/*
 * Every key that opens must be in the file, and be the same. Else what was derived from it or wrapped under
 * it since would be lost: with an older copy, another server's keyring, or a copy that was changed elsewhere.
 */
static const char *
find_conflicts(const PawsKeyringFile *file)
{
	bool newer = file->generation > held.generation || (trimmed && file->generation == held.generation);
	const char *conflict = newer ? NULL : "other";

	for (int i = 0; i < held.entries && conflict == NULL; i++)
		if (is_known(i))
			conflict = find_conflict(file, i);
	return conflict;
}

static bool
same_content(const PawsKeyringFile *a, const PawsKeyringFile *b)
{
	return a->generation == b->generation && a->count == b->count &&
		   memcmp(a->highest, b->highest, sizeof(a->highest)) == 0 &&
		   memcmp(a->lines, b->lines, (size_t) a->count * sizeof(PawsKeyringLine)) == 0;
}

void
paws_keyring_copy(PawsKeyringFile *to, const PawsKeyringFile *from)
{
	if (to->count > from->count)
		memset(&to->lines[from->count], 0, (size_t) (to->count - from->count) * sizeof(PawsKeyringLine));
	memcpy(to, from, offsetof(PawsKeyringFile, lines) + (size_t) from->count * sizeof(PawsKeyringLine));
}

void
paws_keyring_wipe(PawsKeyringFile *file)
{
	if (file->count > 0)
		sodium_memzero(file->lines, (size_t) file->count * sizeof(PawsKeyringLine));
	file->generation = 0;
	file->entries = file->count = 0;
}

const char *
paws_keyring_adopt(const PawsKeyringFile *file)
{
	const char *conflict;

	if (!trimmed && same_content(&held, file))
		return NULL;
	conflict = find_conflicts(file);
	if (conflict != NULL)
		return conflict;
	sodium_memzero(keys, (size_t) held.entries * sizeof(Key));
	memset(state, NOT_TRIED, sizeof(state));
	paws_keyring_copy(&held, file);
	trimmed = false;
	for (int i = 0; i < held.entries; i++)
		if (held.lines[i].kind == PAWS_KEYRING_BASE)
			(void) paws_keyring_key(i);
	return NULL;
}

bool
paws_keyring_own(const PawsKeyringLine *line)
{
	return OidIsValid(MyDatabaseId) && line->database == MyDatabaseId &&
		   line->system == GetSystemIdentifier();
}

uint32
paws_keyring_newest(PawsRoot root)
{
	for (int i = held.entries - 1; i >= 0; i--)
	{
		const PawsKeyringLine *line = &held.lines[i];

		if (line->kind == PAWS_KEYRING_EPOCH && line->root == root && paws_keyring_own(line) &&
			paws_keyring_key(i) != NULL)
			return line->number;
	}
	return 0;
}

int64
paws_keyring_now(void)
{
	int64 now = GetCurrentTimestamp() + EPOCH_GAP;

	/* a clock that is far off must not make a file that nobody can read */
	return Min(Max(now, 1), PAWS_KEYRING_TIME_MAX);
}

TimestampTz
paws_keyring_time(int64 time)
{
	return time - EPOCH_GAP;
}
