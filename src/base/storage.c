/*
 * base/storage.c - asking the file system.
 */
#include "postgres.h"

#include <sys/statvfs.h>

#include "base/storage.h"

int64
paws_storage_free(const char *path)
{
	struct statvfs file_system;

	if (statvfs(path, &file_system) != 0)
		return -1;
	return (int64) file_system.f_bavail * (int64) file_system.f_frsize;
}
