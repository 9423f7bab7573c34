/*
 * vault/keyring_file.c - the folder of the keyring, and reading the file.
 *
 * All is done relative to the open folder, so that it is the one that was checked.
 */
#include "postgres.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"

#include "vault/keyring_file.h"

#define READS_MAX    3
#define FOLDER_TRIES 100
#define FOLDER_NAP   10000 /* us */

static bool
in_data_directory(const char *folder)
{
	char data[PATH_MAX];
	size_t length;

	if (DataDir == NULL || realpath(DataDir, data) == NULL)
		return true;
	length = strlen(data);
	return strncmp(folder, data, length) == 0 && (folder[length] == '/' || folder[length] == '\0');
}

/* The folder of a path without links in it; false if there is none. */
static bool
find_folder(const char *path, char folder[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	char named[PATH_MAX];
	size_t length = slash == NULL ? 0 : slash == path ? 1 : (size_t) (slash - path);

	if (length >= sizeof(named))
		return false;
	memcpy(named, path, length);
	named[length] = '\0';
	return realpath(length == 0 ? "." : named, folder) != NULL;
}

static const char *
find_folder_defect(int folder)
{
	struct stat status;

	if (fstat(folder, &status) != 0)
		return "missing";
	if ((status.st_uid != geteuid() && status.st_uid != 0) || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return "folder";
	return NULL;
}

/* Some file systems have no such lock; then there is none. False if somebody else does not give it back. */
static bool
close_to_others(int folder)
{
	for (int i = 0; i < FOLDER_TRIES; i++)
	{
		if (flock(folder, LOCK_EX | LOCK_NB) == 0 || (errno != EWOULDBLOCK && errno != EINTR))
			return true;
		pg_usleep(FOLDER_NAP);
	}
	return false;
}

const char *
paws_keyring_open_place(const char *path, bool change, PawsKeyringPlace *place)
{
	const char *slash = path == NULL ? NULL : strrchr(path, '/');
	char folder[PATH_MAX];
	const char *defect;

	if (path == NULL || path[0] == '\0')
		return "unset";
	place->name = slash == NULL ? path : slash + 1;
	if (place->name[0] == '\0' || strlen(place->name) + sizeof(PAWS_KEYRING_NEW) > NAME_MAX ||
		!find_folder(path, folder))
		return "missing";
	if (in_data_directory(folder))
		return "place";
	place->folder = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (place->folder < 0)
		return "missing";
	defect = find_folder_defect(place->folder);
	if (defect == NULL && change && !close_to_others(place->folder))
		defect = "busy";
	if (defect != NULL)
		paws_keyring_close_place(place);
	return defect;
}

void
paws_keyring_close_place(PawsKeyringPlace *place)
{
	int saved = errno;

	close(place->folder);
	place->folder = -1;
	errno = saved;
}

static const char *
find_defect(const struct stat *status)
{
	if (!S_ISREG(status->st_mode))
		return "link";
	if (status->st_uid != geteuid() && status->st_uid != 0)
		return "owner";
	if ((status->st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return "mode";
	return NULL;
}

/* Reads to the end; false on an error, or if more than `size` bytes are there. */
static bool
read_whole(int file, char *text, Size size, Size *length)
{
	char beyond;

	*length = 0;
	for (;;)
	{
		bool filled = *length == size;
		ssize_t got = filled ? read(file, &beyond, 1) : read(file, text + *length, size - *length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0;
		if (filled)
		{
			errno = EFBIG;
			return false;
		}
		*length += (Size) got;
	}
}

/* True if the name belongs to another file by now, or to none. */
static bool
is_replaced(const PawsKeyringPlace *place, const struct stat *status)
{
	struct stat now;

	return fstatat(place->folder, place->name, &now, AT_SYMLINK_NOFOLLOW) != 0 ||
		   now.st_ino != status->st_ino || now.st_dev != status->st_dev;
}

/* Checks and reads an open file; *replaced tells that it is not the keyring any more. */
static const char *
read_open(const PawsKeyringPlace *place, int file, char *text, Size size, Size *length, bool *replaced)
{
	struct stat status;
	const char *defect;

	*replaced = false;
	if (fstat(file, &status) != 0)
		return "missing";
	defect = find_defect(&status);
	if (defect != NULL)
		return defect;
	if (!read_whole(file, text, size, length))
		return errno == EFBIG ? "full" : "missing";

	/* After the bytes: whoever replaces a file takes its name away first, and overwrites it then. */
	*replaced = is_replaced(place, &status);
	return NULL;
}

const char *
paws_keyring_read(const PawsKeyringPlace *place, char *text, Size size, Size *length)
{
	const char *defect = "missing";
	bool replaced = true;

	for (int i = 0; i < READS_MAX && replaced; i++)
	{
		int saved;

		/* Without waiting: the path may be that of a pipe. */
		int file =
			openat(place->folder, place->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

		if (file < 0)
			return errno == ELOOP ? "link" : "missing";
		defect = read_open(place, file, text, size, length, &replaced);
		saved = errno;
		close(file);
		errno = saved;
	}
	if (replaced)
		errno = EAGAIN;
	return replaced ? "missing" : defect;
}

void
paws_keyring_look(const char *path, PawsKeyringStamp *stamp)
{
	struct stat status;

	memset(stamp, 0, sizeof(*stamp));
	if (path == NULL || lstat(path, &status) != 0)
		return;
	stamp->device = (uint64) status.st_dev;
	stamp->inode = (uint64) status.st_ino;
	stamp->size = (int64) status.st_size;
	stamp->seconds = (int64) status.st_ctim.tv_sec;
	stamp->nanoseconds = (int64) status.st_ctim.tv_nsec;
}
