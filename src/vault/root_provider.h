/*
 * vault/root_provider.h - where the text of a root comes from.
 *
 * A setting names a provider and its argument: "file:/absolute/path" or "command:/absolute/program words".
 * Providers run in the postmaster while it starts; they never raise an error, and what they read goes to
 * memory for secrets alone.
 */
#ifndef PAWS_VAULT_ROOT_PROVIDER_H
#define PAWS_VAULT_ROOT_PROVIDER_H

#include "postgres.h"

#include <sys/stat.h>

/* Where a provider puts what it reads. `length` never exceeds `size`; a text that fills it is too long. */
typedef struct PawsRootText
{
	uint8_t *bytes;
	size_t size;
	size_t length;
} PawsRootText;

typedef struct PawsRootProvider
{
	const char *name;

	/* NULL, or a problem word of its own (root_problem.h). */
	const char *(*read)(const char *argument, PawsRootText *text);
} PawsRootProvider;

/* Reads what the setting's value names; NULL, or a problem word. The text is wiped if there is a problem. */
extern const char *paws_root_provide(const char *value, PawsRootText *text);

/*
 * vault/root_file.c: a regular file, no link, of the server's user or root, closed to group and others,
 * outside the data directory, in a folder of the server's user or root in which nobody else can put another
 * in its place. "path", "missing", "link", "owner", "mode", "folder", "place".
 */
extern const char *paws_root_read_file(const char *path, PawsRootText *text);

/*
 * vault/root_command.c: what a program writes to its standard output. The argument is split at single
 * spaces; no shell is run, nothing is quoted or expanded. The program gets no input, a PATH and no other
 * environment, no descriptor but the three standard ones and its own process group; it has to end with status
 * 0 within paws_sync.root_command_timeout. "path", "argument", "program", "run", "timeout".
 */
extern const char *paws_root_read_command(const char *words, PawsRootText *text);

/* For both: true if the file or program, or the folder, is the server's user's or root's. */
extern bool paws_root_owner_safe(const struct stat *status);

/* And true if the folder that holds `path` is, and if nobody else can write to it, or it is sticky. */
extern bool paws_root_folder_safe(const char *path);

#endif
