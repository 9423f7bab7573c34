/*
 * vault/keyring.c - the keyring's file: loaded at start, looked at again; and what the keyring holds.
 */
#include "postgres.h"

#include <sodium.h>
#include <unistd.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/proc.h"

#include "base/fault.h"
#include "base/log_safe.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "vault/keyring_private.h"
#include "vault/secret.h"

#define FIRST_NUMBER 1

static const char *load_problem = "unset";
static PawsKeyringStamp seen;    /* the file as it was when it was read last, well or not */
static const char *noted = NULL; /* how that ended */

static char file_text[PAWS_KEYRING_TEXT_MAX];

/* Parses what was read, and wipes it. */
static const char *
parse(Size length, PawsKeyringFile *file)
{
	PawsKeyringDefect defect = paws_keyring_parse(file_text, length, file);

	sodium_memzero(file_text, length);
	switch (defect)
	{
		case PAWS_KEYRING_GOOD:
			return NULL;
		case PAWS_KEYRING_FULL:
			return "full";
		case PAWS_KEYRING_GARBAGE:
			break;
	}
	errno = 0;
	return "garbage";
}

const char *
paws_keyring_read_again(const PawsKeyringPlace *place)
{
	static PawsKeyringFile incoming;
	const char *problem;
	Size length;

	paws_keyring_complete();
	paws_keyring_look(paws_keyring_file, &seen);
	problem = paws_keyring_read(place, file_text, sizeof(file_text), &length);
	if (problem == NULL)
		problem = parse(length, &incoming);
	if (problem == NULL)
		problem = paws_keyring_adopt(&incoming);
	if (problem == NULL)
		paws_keyring_publish();
	paws_keyring_wipe(&incoming);
	return problem;
}

static bool
lacks_keys(const PawsKeyringFile *file)
{
	for (int i = 0; i < file->entries; i++)
		if (sodium_is_zero(file->lines[i].wrapped, sizeof(file->lines[i].wrapped)))
			return true;
	return false;
}

bool
paws_keyring_write(const PawsKeyringPlace *place, PawsKeyringFile *next, bool destroy)
{
	Size length;
	bool replaced;

	/* what opens nothing must never replace what does */
	if (lacks_keys(next))
	{
		errno = EINVAL;
		return false;
	}
	next->generation = paws_keyring_held()->generation + 1;
	length = paws_keyring_print(next, file_text);
	if (length == 0)
	{
		errno = EFBIG;
		return false;
	}
	replaced = paws_keyring_replace(place, file_text, length, destroy);
	sodium_memzero(file_text, length);
	if (!replaced)
		return false;
	paws_keyring_look(paws_keyring_file, &seen);
	(void) paws_keyring_adopt(next);
	paws_keyring_publish();
	PAWS_FAULT();
	return true;
}

/* Adds a first base secret for each loaded root that has none; true if there was one to add. */
static bool
add_bases(PawsKeyringFile *file)
{
	bool added = false;

	for (int root = 1; root <= PAWS_ROOTS; root++)
	{
		PawsKeyringLine line = {.kind = PAWS_KEYRING_BASE,
								.root = (uint16) root,
								.number = FIRST_NUMBER,
								.time = paws_keyring_now()};

		if (paws_keyring_find(file, PAWS_KEYRING_BASE, line.root, FIRST_NUMBER) < 0 &&
			paws_keyring_seal_new(&line) && paws_keyring_insert(file, &line))
			added = true;
	}
	return added;
}

/* A server that follows another, or is being restored, has the keyring of its origin or none. */
static bool
follows_another(void)
{
	char path[MAXPGPATH];

	snprintf(path, sizeof(path), "%s/standby.signal", DataDir);
	if (access(path, F_OK) == 0)
		return true;
	snprintf(path, sizeof(path), "%s/recovery.signal", DataDir);
	return access(path, F_OK) == 0;
}

/* Reads or makes the file. After a crash of the server there is one in memory, and nothing is made. */
static const char *
load_from(const PawsKeyringPlace *place)
{
	static PawsKeyringFile next;
	bool first = paws_keyring_held()->generation == 0;
	const char *problem = paws_keyring_read_again(place);
	bool absent = problem != NULL && strcmp(problem, "missing") == 0 && errno == ENOENT;
	bool written;

	if (!first || (problem != NULL && !absent) || follows_another())
		return problem;
	paws_keyring_copy(&next, paws_keyring_held());
	if (!add_bases(&next))
		return problem;
	written = paws_keyring_write(place, &next, false);
	paws_keyring_wipe(&next);
	if (written)
	{
		if (absent)
			ereport_domain(LOG, PAWS_LOG_SAFE,
						   (errmsg("paws_sync made a new keyring"),
							errdetail("There was no file where \"paws_sync.keyring_file\" names one."),
							errhint("Keep a copy of it with the copies of the root keys.")));
		return NULL;
	}
	ereport_domain(LOG, PAWS_LOG_SAFE,
				   (errcode_for_file_access(), errmsg("the keyring file could not be written: %m")));
	return problem;
}

/* For the log: what costs a loaded root its base secret. */
static void
complain(void)
{
	if (load_problem != NULL)
		ereport_domain(LOG, PAWS_LOG_SAFE,
					   (errmsg("paws_sync runs without its keyring"),
						errdetail("%s", paws_keyring_sentence(load_problem)),
						errhint("%s", paws_keyring_hint(load_problem))));
	for (int root = 1; root <= PAWS_ROOTS && load_problem == NULL; root++)
		if (paws_root_current((PawsRoot) root) != 0 && paws_keyring_root_problem((PawsRoot) root) != NULL)
			ereport_domain(LOG, PAWS_LOG_SAFE,
						   (errmsg("paws_sync runs without the %s keys of its keyring",
								   paws_root_name((PawsRoot) root)),
							errdetail("%s", paws_keyring_root_explain((PawsRoot) root)),
							errhint("%s", paws_keyring_hint(paws_keyring_root_problem((PawsRoot) root)))));
}

void
paws_keyring_load(void)
{
	bool first = paws_keyring_held()->generation == 0;
	const char *problem = "memory";
	PawsKeyringPlace place;

	if (paws_keyring_prepare())
		problem = paws_keyring_open_place(paws_keyring_file, true, &place);
	if (problem == NULL)
	{
		problem = load_from(&place);
		paws_keyring_prepare_claim(&place);
		paws_keyring_close_place(&place);
	}
	if (!first)
	{
		paws_keyring_note(problem);
		return;
	}
	load_problem = problem;
	complain();
}

const char *
paws_keyring_problem(void)
{
	return load_problem;
}

const char *
paws_keyring_explain(void)
{
	return load_problem == NULL ? NULL : paws_keyring_sentence(load_problem);
}

const char *
paws_keyring_root_problem(PawsRoot root)
{
	int base;

	if (load_problem != NULL)
		return load_problem;
	paws_keyring_refresh();
	base = paws_keyring_find(paws_keyring_held(), PAWS_KEYRING_BASE, (uint16) root, FIRST_NUMBER);
	if (base < 0)
		return "no_base";
	return paws_keyring_key(base) == NULL ? "wrong_root" : NULL;
}

const char *
paws_keyring_root_explain(PawsRoot root)
{
	const char *problem = paws_keyring_root_problem(root);

	return problem == NULL ? NULL : paws_keyring_sentence(problem);
}

void
paws_keyring_note(const char *problem)
{
	noted = problem;
	if (!paws_keyring_news(problem == NULL ? 0 : paws_keyring_problem_number(problem)))
		return;
	if (problem == NULL)
		ereport_domain(LOG, PAWS_LOG_SAFE, (errmsg("the keyring file of paws_sync can be read again")));
	else
		ereport_domain(LOG, PAWS_LOG_SAFE,
					   (errmsg("paws_sync goes on with the keyring in memory"),
						errdetail("%s", paws_keyring_sentence(problem)),
						errhint("Put the keyring of this server back before the server is restarted.")));
}

/* Nobody changes it meanwhile, since that would overwrite what is being read. */
static void
read_under_lock(void)
{
	const char *problem;
	PawsKeyringPlace place;

	LWLockAcquire(paws_lock(PAWS_LOCK_KEYRING), LW_SHARED);
	problem = paws_keyring_open_place(paws_keyring_file, false, &place);
	if (problem == NULL)
	{
		problem = paws_keyring_read_again(&place);
		paws_keyring_close_place(&place);
	}
	LWLockRelease(paws_lock(PAWS_LOCK_KEYRING));
	paws_keyring_note(problem);
}

void
paws_keyring_watch(void)
{
	PawsKeyringStamp now;

	if (load_problem != NULL || MyProc == NULL || !paws_keyring_may_hold())
		return;
	paws_keyring_refresh();
	paws_keyring_look(paws_keyring_file, &now);
	if (memcmp(&now, &seen, sizeof(now)) == 0)
		return;
	read_under_lock();
	seen = now;
	if (!IsTransactionState())
		paws_keyring_trim();
}

const char *
paws_keyring_file_problem(void)
{
	if (load_problem != NULL || MyProc == NULL)
		return load_problem;
	if (paws_keyring_may_hold())
		read_under_lock();
	return noted;
}

const char *
paws_keyring_file_explain(void)
{
	return noted == NULL ? paws_keyring_explain() : paws_keyring_sentence(noted);
}

bool
paws_keyring_base(PawsRoot root, uint32 number, uint8_t key[PAWS_KEYRING_KEY_BYTES])
{
	const uint8_t *secret;

	paws_keyring_refresh();
	secret =
		paws_keyring_key(paws_keyring_find(paws_keyring_held(), PAWS_KEYRING_BASE, (uint16) root, number));
	if (secret == NULL)
		return false;
	paws_secret_relock();
	memcpy(key, secret, PAWS_KEYRING_KEY_BYTES);
	return true;
}

uint32
paws_keyring_current_epoch(PawsRoot root)
{
	/* what is wrapped under an epoch that another server destroyed would be lost */
	paws_keyring_watch();
	paws_keyring_complete();
	return paws_keyring_newest(root);
}

uint32
paws_keyring_highest(PawsRoot root)
{
	paws_keyring_refresh();
	return paws_keyring_held()->highest[root - 1];
}

static bool
knows_epoch(PawsRoot root, uint32 epoch)
{
	const PawsKeyringFile *file = paws_keyring_held();

	return paws_keyring_find(file, PAWS_KEYRING_EPOCH, (uint16) root, epoch) >= 0 ||
		   paws_keyring_find(file, PAWS_KEYRING_DESTROYED, (uint16) root, epoch) >= 0;
}

bool
paws_keyring_epoch_key(PawsRoot root, uint32 epoch, uint8_t key[PAWS_KEYRING_KEY_BYTES])
{
	const uint8_t *secret;

	paws_secret_relock();
	paws_keyring_complete();

	/* on a standby no launcher watches for what the primary destroyed */
	if (!knows_epoch(root, epoch) || RecoveryInProgress())
	{
		paws_keyring_watch();
		paws_keyring_complete();
	}
	secret =
		paws_keyring_key(paws_keyring_find(paws_keyring_held(), PAWS_KEYRING_EPOCH, (uint16) root, epoch));
	if (secret == NULL)
		return false;
	memcpy(key, secret, PAWS_KEYRING_KEY_BYTES);
	return true;
}

bool
paws_keyring_destroyed(PawsRoot root, uint32 epoch, TimestampTz *at)
{
	int index;

	paws_keyring_complete();
	index = paws_keyring_find(paws_keyring_held(), PAWS_KEYRING_DESTROYED, (uint16) root, epoch);
	if (index >= 0)
		*at = paws_keyring_time(paws_keyring_held()->lines[index].time);
	return index >= 0;
}

int
paws_keyring_count_stale(PawsRoot root)
{
	const PawsKeyringFile *file = paws_keyring_held();
	uint32 current = paws_root_current(root);
	int stale = 0;

	paws_keyring_complete();
	for (int i = 0; i < file->entries; i++)
		if (file->lines[i].root == root && file->lines[i].root_id != current)
			stale++;
	return stale;
}

bool
paws_keyring_entry(int index, PawsKeyringEntry *entry)
{
	const PawsKeyringFile *file = paws_keyring_held();
	const PawsKeyringLine *line;

	if (index == 0)
		paws_keyring_complete();
	if (index < 0 || index >= file->count)
		return false;
	line = &file->lines[index];
	entry->kind = (PawsKeyringKind) line->kind;
	entry->root = (PawsRoot) line->root;
	entry->number = line->number;
	entry->root_id = line->root_id;
	entry->system = line->system;
	entry->database = line->database;
	entry->made_at = paws_keyring_time(line->time);
	entry->own = paws_keyring_own(line);
	return true;
}

bool
paws_keyring_opens(int index)
{
	return paws_keyring_may_hold() && paws_keyring_key(index) != NULL;
}

uint64
paws_keyring_generation(void)
{
	paws_keyring_refresh();
	return paws_keyring_held()->generation;
}
