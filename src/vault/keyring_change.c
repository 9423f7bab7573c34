/*
 * vault/keyring_change.c - changes of the keyring: read the file again, edit, replace it.
 *
 * All of it happens under PAWS_LOCK_KEYRING, and nothing in between raises an error.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"

#include "base/settings.h"
#include "base/shmem.h"
#include "vault/keyring_private.h"
#include "vault/secret.h"
#include "vault/vault.h"

typedef struct Change
{
	PawsRoot root;
	uint32 epoch; /* that the change is about */
	uint32 above; /* numbers up to this one are taken */

	/* what the edit did */
	bool changed;
	bool destroys;
	bool no_room;
	uint32 result;

	/* what became of it */
	const char *problem; /* of the file as it was found, NULL if it was good */
	int failure;         /* errno of writing, 0 if it was written */
} Change;

/* Changes the draft, which is a copy of the keyring that this process has, and says so in `change`. */
typedef void (*Edit)(PawsKeyringFile *draft, Change *change);

static void
edit_and_write(const PawsKeyringPlace *place, Edit edit, Change *change)
{
	static PawsKeyringFile draft;

	change->problem = paws_keyring_read_again(place);
	if (change->problem != NULL)
		return;
	if (!paws_keyring_clear(place))
	{
		change->failure = errno;
		return;
	}
	paws_keyring_copy(&draft, paws_keyring_held());
	edit(&draft, change);
	if (change->changed && !paws_keyring_write(place, &draft, change->destroys))
		change->failure = errno;
	paws_keyring_wipe(&draft);
}

static void
require_changeable(PawsRoot root)
{
	if (RecoveryInProgress())
		ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
						errmsg("the keyring cannot be changed during recovery"),
						errhint("Change it on the primary, and copy its file to this server.")));
	paws_vault_require(root);
	paws_secret_relock();
	Assert(OidIsValid(MyDatabaseId));
}

static void
report(const Change *change)
{
	errno = change->failure;
	if (change->failure != 0)
		ereport(ERROR, (errcode(ERRCODE_IO_ERROR), errmsg("the keyring file could not be replaced: %m"),
						errdetail("The keyring is what it was."),
						errhint("Let the server's user write in the folder of the file that "
								"\"paws_sync.keyring_file\" names, and have room on its disk.")));
	if (change->problem != NULL)
		ereport(ERROR, (errcode(ERRCODE_IO_ERROR), errmsg("the keyring cannot be changed"),
						errdetail("%s", paws_keyring_sentence(change->problem)),
						errhint("Put the keyring of this server back where \"paws_sync.keyring_file\" names "
								"it; until then the server goes on with what is in memory.")));
	if (change->no_room)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("the keyring has no room for another epoch"),
				 errhint("Destroy epochs that nothing uses any more.")));
}

static void
carry_out(Edit edit, Change *change)
{
	PawsKeyringPlace place;

	require_changeable(change->root);
	LWLockAcquire(paws_lock(PAWS_LOCK_KEYRING), LW_EXCLUSIVE);
	change->problem = paws_keyring_open_place(paws_keyring_file, true, &place);
	if (change->problem == NULL)
	{
		edit_and_write(&place, edit, change);
		paws_keyring_close_place(&place);
	}
	LWLockRelease(paws_lock(PAWS_LOCK_KEYRING));
	paws_keyring_note(change->problem);
	report(change);
}

static void
add_epoch(PawsKeyringFile *draft, Change *change)
{
	uint32 *highest = &draft->highest[change->root - 1];
	uint32 before = Max(*highest, change->above);
	PawsKeyringLine line = {.kind = PAWS_KEYRING_EPOCH,
							.root = (uint16) change->root,
							.number = before + 1,
							.database = MyDatabaseId,
							.system = GetSystemIdentifier(),
							.time = paws_keyring_now()};

	change->changed =
		before < PAWS_KEYRING_NUMBER_MAX && paws_keyring_seal_new(&line) && paws_keyring_insert(draft, &line);
	change->no_room = !change->changed;
	change->result = *highest = line.number;
}

/* Another session of this database may have made one meanwhile. */
static void
ensure_epoch(PawsKeyringFile *draft, Change *change)
{
	change->result = paws_keyring_newest(change->root);
	if (change->result == 0)
		add_epoch(draft, change);
}

uint32
paws_keyring_make_epoch(PawsRoot root)
{
	Change change = {.root = root};

	carry_out(add_epoch, &change);
	return change.result;
}

uint32
paws_keyring_ensure_epoch(PawsRoot root)
{
	Change change = {.root = root};
	uint32 newest = paws_keyring_current_epoch(root);

	if (newest != 0)
		return newest;
	carry_out(ensure_epoch, &change);
	return change.result;
}

static void
succeed_epoch(PawsKeyringFile *draft, Change *change)
{
	change->result = paws_keyring_newest(change->root);
	if (change->result <= change->epoch)
		add_epoch(draft, change);
}

uint32
paws_keyring_succeed_epoch(PawsRoot root, uint32 before, uint32 above)
{
	Change change = {.root = root, .epoch = before, .above = above};

	carry_out(succeed_epoch, &change);
	return change.result;
}

/* The line of the destroyed one comes after all epochs, so the walk goes on where it was. */
static void
destroy_epochs(PawsKeyringFile *draft, Change *change)
{
	for (int i = draft->entries - 1; i >= 0; i--)
	{
		PawsKeyringLine line = draft->lines[i];

		if (line.kind != PAWS_KEYRING_EPOCH || line.root != change->root || line.number >= change->epoch ||
			!paws_keyring_own(&line))
			continue;
		paws_keyring_remove(draft, i);
		line.kind = PAWS_KEYRING_DESTROYED;
		line.root_id = 0;
		line.time = paws_keyring_now();
		memset(line.wrapped, 0, sizeof(line.wrapped));
		paws_keyring_insert(draft, &line);
		change->result++;
		change->changed = change->destroys = true;
	}
}

int
paws_keyring_destroy_epochs(PawsRoot root, uint32 before)
{
	Change change = {.root = root, .epoch = before};

	if (!RecoveryInProgress() && !paws_keyring_claim())
		ereport(
			ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE), errmsg("another server of the same identity uses the keyring"),
			 errdetail("One of them is a copy of the other, and reads under the same epochs."),
			 errhint(
				 "In the copy, let \"paws_sync.keyring_file\" name a file of its own, a copy of this, and restart it.")));
	carry_out(destroy_epochs, &change);
	return (int) change.result;
}

/* Wraps line `index` anew; its key is where it is in the keyring of this process. */
static bool
wrap_again(PawsKeyringFile *draft, int index)
{
	const uint8_t *key = paws_keyring_key(index);

	return key != NULL && paws_keyring_seal(&draft->lines[index], key);
}

static void
adopt_epoch(PawsKeyringFile *draft, Change *change)
{
	int index = paws_keyring_find(draft, PAWS_KEYRING_EPOCH, (uint16) change->root, change->epoch);

	if (index < 0 || paws_keyring_key(index) == NULL)
		return;
	change->result = 1;
	if (paws_keyring_own(&draft->lines[index]))
		return;
	draft->lines[index].system = GetSystemIdentifier();
	draft->lines[index].database = MyDatabaseId;
	change->changed = wrap_again(draft, index);
}

bool
paws_keyring_adopt_epoch(PawsRoot root, uint32 epoch)
{
	Change change = {.root = root, .epoch = epoch};

	carry_out(adopt_epoch, &change);
	return change.result != 0;
}

static void
rewrap(PawsKeyringFile *draft, Change *change)
{
	uint32 current = paws_root_current(change->root);

	for (int i = 0; i < draft->entries; i++)
	{
		const PawsKeyringLine *line = &draft->lines[i];

		if (line->root != change->root || line->root_id == current || !wrap_again(draft, i))
			continue;
		change->result++;
		change->changed = true;
	}
}

int
paws_keyring_rewrap(PawsRoot root)
{
	Change change = {.root = root};

	carry_out(rewrap, &change);
	return (int) change.result;
}
