/*
 * base/storage.h - how much room is left where the server writes.
 */
#ifndef PAWS_BASE_STORAGE_H
#define PAWS_BASE_STORAGE_H

#include "postgres.h"

/*
 * Bytes that the server's user may still write to the file system of a folder; a path relative to the data
 * directory, or an absolute one. -1 if it cannot be told.
 */
extern int64 paws_storage_free(const char *path);

#endif
