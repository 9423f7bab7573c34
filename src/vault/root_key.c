/*
 * vault/root_key.c - reading and checking the root key file.
 */
#include "postgres.h"

#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"

#include "vault/root_key.h"
#include "vault/secret.h"

#define HEX_DIGITS (2 * PAWS_ROOT_KEY_BYTES)
#define READ_MAX   (HEX_DIGITS + 2) /* one more than any form, to notice a longer file */

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

/* True if the file lies in the data directory, where base backups would carry it away. */
static bool
in_data_directory(const char *path)
{
	char file[PATH_MAX];
	char data[PATH_MAX];
	size_t length;

	if (DataDir == NULL || realpath(path, file) == NULL || realpath(DataDir, data) == NULL)
		return true;
	length = strlen(data);
	return strncmp(file, data, length) == 0 && (file[length] == '/' || file[length] == '\0');
}

/* Reads up to `size` bytes; the number read, or -1. */
static ssize_t
read_fully(int file, uint8_t *buffer, size_t size)
{
	size_t filled = 0;

	while (filled < size)
	{
		ssize_t got = read(file, buffer + filled, size - filled);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		filled += got;
	}
	return filled;
}

static bool
decode_key(const uint8_t *content, ssize_t length, uint8_t key[PAWS_ROOT_KEY_BYTES])
{
	size_t decoded = 0;

	if (length == PAWS_ROOT_KEY_BYTES)
	{
		memcpy(key, content, PAWS_ROOT_KEY_BYTES);
		return true;
	}
	if (length != HEX_DIGITS && !(length == HEX_DIGITS + 1 && content[HEX_DIGITS] == '\n'))
		return false;
	return sodium_hex2bin(key, PAWS_ROOT_KEY_BYTES, (const char *) content, HEX_DIGITS, NULL, &decoded,
						  NULL) == 0 &&
		   decoded == PAWS_ROOT_KEY_BYTES;
}

/* Checks and reads an open file into `key`; the problem word, or NULL. */
static const char *
read_key(int file, const char *path, uint8_t key[PAWS_ROOT_KEY_BYTES])
{
	struct stat status;
	const char *defect;
	uint8_t content[READ_MAX];
	ssize_t length;
	bool good;

	if (fstat(file, &status) != 0)
		return "missing";
	defect = find_defect(&status);
	if (defect != NULL)
		return defect;
	if (in_data_directory(path))
		return "place";
	length = read_fully(file, content, sizeof(content));
	good = length >= 0 && decode_key(content, length, key);
	sodium_memzero(content, sizeof(content));
	return good ? NULL : (length < 0 ? "missing" : "length");
}

const uint8_t *
paws_root_key_load(const char *path, const char **problem)
{
	uint8_t key[PAWS_ROOT_KEY_BYTES] = {0};
	uint8_t *kept = NULL;
	int file;

	if (path == NULL || path[0] == '\0')
	{
		*problem = "unset";
		return NULL;
	}

	/* Without waiting: the path may be that of a pipe. */
	file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (file < 0)
	{
		*problem = errno == ELOOP ? "link" : "missing";
		return NULL;
	}
	*problem = read_key(file, path, key);
	close(file);
	if (*problem == NULL)
	{
		kept = paws_secret_try_alloc(PAWS_ROOT_KEY_BYTES);
		if (kept != NULL)
			memcpy(kept, key, PAWS_ROOT_KEY_BYTES);
		else
			*problem = "missing";
	}
	sodium_memzero(key, sizeof(key));
	return kept;
}

const char *
paws_root_key_explain(const char *problem)
{
	static const struct
	{
		const char *problem;
		const char *sentence;
	} sentences[] = {{"unset", "No root key file is configured."},
					 {"missing", "The root key file does not exist or cannot be read."},
					 {"link", "The root key file is a symbolic link or not a regular file."},
					 {"owner", "The root key file does not belong to the user that runs the server."},
					 {"mode", "The root key file is accessible to its group or to others."},
					 {"place", "The root key file lies in the data directory."},
					 {"length", "The root key file holds neither 32 bytes nor 64 hexadecimal digits."}};

	for (size_t i = 0; i < lengthof(sentences); i++)
		if (strcmp(sentences[i].problem, problem) == 0)
			return sentences[i].sentence;
	return "The root key could not be loaded.";
}
