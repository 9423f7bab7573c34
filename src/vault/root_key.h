/*
 * vault/root_key.h - the file that holds the root key.
 *
 * The file must be a regular file, not a symbolic link, owned by the server's user (or root), closed to group
 * and others, outside the data directory, and hold 32 raw bytes or 64 hexadecimal digits with or without a
 * newline.
 */
#ifndef PAWS_VAULT_ROOT_KEY_H
#define PAWS_VAULT_ROOT_KEY_H

#include "postgres.h"

#define PAWS_ROOT_KEY_BYTES 32

/*
 * Reads the key of this file into memory for secrets. Never raises an error: NULL with *problem set to one of
 * "unset", "missing" (or not readable), "link" (or not a regular file), "owner", "mode", "place" (inside the
 * data directory), "length" (neither of the two forms).
 */
extern const uint8_t *paws_root_key_load(const char *path, const char **problem);

/* A sentence that explains a problem word. A static string. */
extern const char *paws_root_key_explain(const char *problem);

#endif
