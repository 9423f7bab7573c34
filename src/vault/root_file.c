/*
 * vault/root_file.c - provider "file": checks a file and reads it.
 */
#include "postgres.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"

#include "vault/root_provider.h"

bool
paws_root_owner_safe(const struct stat *status)
{
	return status->st_uid == geteuid() || status->st_uid == 0;
}

bool
paws_root_folder_safe(const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	struct stat status;

	if (slash == NULL || slash - path >= PATH_MAX - 1)
		return false;
	strlcpy(folder, path, slash - path + 2); /* with the slash, so that the root folder has a name */
	if (stat(folder, &status) != 0 || !paws_root_owner_safe(&status))
		return false;
	return (status.st_mode & (S_IWGRP | S_IWOTH)) == 0 || (status.st_mode & S_ISVTX) != 0;
}

static const char *
find_defect(const struct stat *status)
{
	if (!S_ISREG(status->st_mode))
		return "link";
	if (!paws_root_owner_safe(status))
		return "owner";
	if ((status->st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return "mode";
	return NULL;
}

/* True if the file lies in the data directory, where base backups would carry it away. */
static bool
in_data_directory(const char *path)
{
	char data[PATH_MAX];
	size_t length;

	if (DataDir == NULL || realpath(DataDir, data) == NULL)
		return true;
	length = strlen(data);
	return strncmp(path, data, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* Fills the buffer as far as the file goes; false if reading fails. */
static bool
read_fully(int file, PawsRootText *text)
{
	while (text->length < text->size)
	{
		ssize_t got = read(file, text->bytes + text->length, text->size - text->length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (got == 0)
			break;
		text->length += got;
	}
	return true;
}

/* Checks an open file and reads it. */
static const char *
read_checked(int file, const char *path, PawsRootText *text)
{
	char resolved[PATH_MAX];
	struct stat status;
	const char *defect;

	if (fstat(file, &status) != 0 || realpath(path, resolved) == NULL)
		return "missing";
	defect = find_defect(&status);
	if (defect != NULL)
		return defect;
	if (in_data_directory(resolved))
		return "place";
	if (!paws_root_folder_safe(resolved))
		return "folder";
	return read_fully(file, text) ? NULL : "missing";
}

const char *
paws_root_read_file(const char *path, PawsRootText *text)
{
	const char *problem;
	int file;

	/* Without waiting: the path may be that of a pipe. */
	file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (file < 0)
		return errno == ELOOP ? "link" : "missing";
	problem = read_checked(file, path, text);
	close(file);
	return problem;
}
