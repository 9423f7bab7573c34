/*
 * vault/keyring_file.h - the keyring's file on disk: read with checks, replaced as a whole.
 *
 * Nothing here raises an error, so that the postmaster can call it and a caller can hold an LWLock.
 */
#ifndef PAWS_VAULT_KEYRING_FILE_H
#define PAWS_VAULT_KEYRING_FILE_H

#include "postgres.h"

/* Names beside that of the file, while it is being replaced: of the new one, and of the old one then. */
#define PAWS_KEYRING_NEW ".new"
#define PAWS_KEYRING_OLD ".old"

/* Tells one state of the file from another without reading it. */
typedef struct PawsKeyringStamp
{
	uint64 device;
	uint64 inode;
	int64 size;
	int64 seconds; /* of the last change of content, mode or owner */
	int64 nanoseconds;
} PawsKeyringStamp;

/* The folder of the keyring, held open and closed to other servers that keep their keys in the same one. */
typedef struct PawsKeyringPlace
{
	int folder;       /* descriptor */
	const char *name; /* of the file in it; points into the path */
} PawsKeyringPlace;

/*
 * Checks and opens the folder of a path. NULL, or the problem word: "unset", "place" (the folder is the data
 * directory or in it), "folder" (it is not the server user's or root's, or its group or others may write in
 * it), "missing" (it cannot be opened). With `change` it waits up to a second for other servers that
 * change a file there ("busy" if they do not end).
 */
extern const char *paws_keyring_open_place(const char *path, bool change, PawsKeyringPlace *place);
extern void paws_keyring_close_place(PawsKeyringPlace *place);

/*
 * Reads the file of a place into `text`. NULL, or the problem word: "missing" (with errno, ENOENT if there is
 * no such file), "link", "owner", "mode", "full" (longer than `size`).
 */
extern const char *paws_keyring_read(const PawsKeyringPlace *place, char *text, Size size, Size *length);

/*
 * Overwrites and removes what a replacement left that was cut short: it may hold what was destroyed. False
 * with errno set if that cannot be done safely now. The folder must have been opened for a change.
 */
extern bool paws_keyring_clear(const PawsKeyringPlace *place);

/*
 * Replaces the file, or makes it. True when the new one is durable. False with errno set otherwise, and then
 * the file is what it was, or, if only the folder could not be made durable, possibly the new one already.
 *
 * What the old file held is overwritten; if it has another name too (a hard link), only when `destroy` is
 * set.
 */
extern bool paws_keyring_replace(const PawsKeyringPlace *place, const char *text, Size length, bool destroy);

/* Looks which file is there now; zeros if none can be found. Taken before the file is read, it is good for
 * noticing a later change. */
extern void paws_keyring_look(const char *path, PawsKeyringStamp *stamp);

#endif
