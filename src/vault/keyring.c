/*
 * vault/keyring.c - the keyring's file: loaded at start, looked at again; and what the keyring holds.
 */
#include "postgres.h"

#include <sodium.h>
#include <unistd.h>

#include "access/xlog.h"
#include "miscadmin.h"

#include "base/log_safe.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "vault/keyring_private.h"
#include "vault/secret.h"

#define FIRST_NUMBER 1

#define KEYRING_HINT                                                                                         \
	"Let \"paws_sync.keyring_file\" name a file of the server's user with mode 0600, in a folder where "       \
	"nobody else may write, outside the data directory, and restart the server."

static const char *load_problem = "unset";
static PawsKeyringStamp seen; /* the file as it was read last, well or not */
static const char *noted = NULL;

/* Parses what was read; `text` is wiped. */
static const char *
parse(char *text, Size length, PawsKeyringFile *file)
{
	PawsKeyringDefect defect = paws_keyring_parse(text, length, file);

	sodium_memzero(text, length);
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

static char text[PAWS_KEYRING_TEXT_MAX];
static PawsKeyringFile incoming;

const char *
paws_keyring_read_again(const PawsKeyringPlace *place)
{
	Size length;
	const char *problem = paws_keyring_read(place, text, sizeof(text), &length, &seen);

	if (problem == NULL)
		problem = parse(text, length, &incoming);
	if (problem == NULL)
		problem = paws_keyring_adopt(&incoming);
	if (problem == NULL)
		paws_keyring_publish();
	return problem;
}

const char *
paws_keyring_write(const PawsKeyringPlace *place, PawsKeyringFile *next, bool destroy)
{
	Size length;
	bool replaced;

	next->generation = paws_keyring_held()->generation + 1;
	length = paws_keyring_print(next, text);
	if (length == 0)
		return "full";
	replaced = paws_keyring_replace(place, text, length, destroy);
	sodium_memzero(text, length);
	if (!replaced)
		return "missing";
	(void) paws_keyring_adopt(next);
	paws_keyring_publish();
	return NULL;
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

	if (!first || (problem != NULL && !absent) || follows_another())
		return problem;
	paws_keyring_copy(&next, paws_keyring_held());
	if (!add_bases(&next))
		return problem;
	if (paws_keyring_write(place, &next, false) == NULL)
		return NULL;
	ereport_domain(LOG, PAWS_LOG_SAFE,
				   (errcode_for_file_access(), errmsg("the keyring file could not be written: %m")));
	return problem;
}

/* For the log: what costs a loaded root its base secret. */
static void
complain(void)
{
	if (load_problem != NULL)
		ereport_domain(LOG, PAWS_LOG_SAFE, (errmsg("paws_sync runs without its keyring"),
											errdetail("%s", paws_keyring_sentence(load_problem)),
											errhint(KEYRING_HINT)));
	for (int root = 1; root <= PAWS_ROOTS && load_problem == NULL; root++)
		if (paws_root_current((PawsRoot) root) != 0 && paws_keyring_root_problem((PawsRoot) root) != NULL)
			ereport_domain(LOG, PAWS_LOG_SAFE,
						   (errmsg("paws_sync runs without the %s keys of its keyring",
								   paws_root_name((PawsRoot) root)),
							errdetail("%s", paws_keyring_root_explain((PawsRoot) root))));
}

void
paws_keyring_load(void)
{
	bool first = paws_keyring_held()->generation == 0;
	const char *problem = "missing";
	PawsKeyringPlace place;

	if (paws_keyring_prepare())
		problem = paws_keyring_open_place(paws_keyring_file, true, &place);
	if (problem == NULL)
	{
		problem = load_from(&place);
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
	if (problem == noted || (problem != NULL && noted != NULL && strcmp(problem, noted) == 0))
		return;
	noted = problem;
	if (problem == NULL)
		ereport_domain(LOG, PAWS_LOG_SAFE, (errmsg("the keyring file of paws_sync can be read again")));
	else
		ereport_domain(LOG, PAWS_LOG_SAFE,
					   (errmsg("paws_sync goes on with the keyring in memory"),
						errdetail("%s", paws_keyring_sentence(problem)),
						errhint("Put the keyring of this server back before the server is restarted.")));
}

/* Reads the file if it is not the one that was read last. */
static void
read_if_changed(bool always)
{
	const PawsKeyringStamp before = seen;
	PawsKeyringPlace place;
	PawsKeyringStamp now = {0};
	const char *problem;

	if (load_problem != NULL || MyProc == NULL)
		return;
	if (!paws_keyring_look(paws_keyring_file, &now))
		memset(&seen, 0, sizeof(seen));
	if (!always && memcmp(&now, &before, sizeof(now)) == 0)
		return;
	LWLockAcquire(paws_lock(PAWS_LOCK_KEYRING), LW_SHARED);
	problem = paws_keyring_open_place(paws_keyring_file, false, &place);
	if (problem == NULL)
	{
		problem = paws_keyring_read_again(&place);
		paws_keyring_close_place(&place);
	}
	seen = now;
	LWLockRelease(paws_lock(PAWS_LOCK_KEYRING));
	paws_keyring_note(problem);
}
