/*
 * keyring_faults.c - preloaded into a server (LD_PRELOAD), it makes the disk fail, or the process die, at one
 * step of the keyring's replacement. Which one is in the file that KEYRING_FAULT names:
 *
 *		STEP ERRNO    that step fails with this error; a write writes one half before
 *		STEP kill     the process is killed before it; a write after one half
 *
 * Steps: write and fsync (of the new file), rename, folder (its fsync), overwrite and sync (of the old file).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The wanted error of a step, -1 for death, 0 for none. */
static int
fault_at(const char *step)
{
	const char *path = getenv("KEYRING_FAULT");
	char line[64] = "";
	char wanted[64];
	char what[64];
	FILE *file = path == NULL ? NULL : fopen(path, "r");

	if (file == NULL)
		return 0;
	if (fgets(line, sizeof(line), file) == NULL)
		line[0] = '\0';
	fclose(file);
	if (sscanf(line, "%63s %63s", wanted, what) != 2 || strcmp(wanted, step) != 0)
		return 0;
	return strcmp(what, "kill") == 0 ? -1 : atoi(what);
}

/* The step that writing or syncing this descriptor is, NULL if it has nothing to do with the keyring. */
static const char *
step_of(int descriptor, const char *new_file, const char *old_file, const char *folder)
{
	char link[64];
	char path[4096];
	const char *name;
	struct stat status;
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
	length = readlink(link, path, sizeof(path) - 1);
	if (length <= 0 || fstat(descriptor, &status) != 0)
		return NULL;
	path[length] = '\0';
	if (S_ISDIR(status.st_mode))
		return strcmp(path + (length > 5 ? length - 5 : 0), "/keys") == 0 ? folder : NULL;
	name = strrchr(path, '/');
	if (name == NULL)
		return NULL;
	if (strcmp(name, "/keyring.new") == 0)
		return new_file;
	return strncmp(name, "/keyring", 8) == 0 ? old_file : NULL;
}

static void
die(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

ssize_t
write(int descriptor, const void *bytes, size_t count)
{
	static ssize_t (*real)(int, const void *, size_t) = NULL;
	const char *step;
	int fault;

	if (real == NULL)
		real = (ssize_t(*)(int, const void *, size_t)) dlsym(RTLD_NEXT, "write");
	step = getenv("KEYRING_FAULT") == NULL ? NULL : step_of(descriptor, "write", "overwrite", NULL);
	fault = step == NULL ? 0 : fault_at(step);
	if (fault == 0)
		return real(descriptor, bytes, count);
	if (real(descriptor, bytes, count / 2) < 0)
		return -1;
	if (fault < 0)
		die();
	errno = fault;
	return -1;
}

int
fsync(int descriptor)
{
	static int (*real)(int) = NULL;
	const char *step;
	int fault;

	if (real == NULL)
		real = (int (*)(int)) dlsym(RTLD_NEXT, "fsync");
	step = getenv("KEYRING_FAULT") == NULL ? NULL : step_of(descriptor, "fsync", "sync", "folder");
	fault = step == NULL ? 0 : fault_at(step);
	if (fault == 0)
		return real(descriptor);
	if (fault < 0)
		die();
	errno = fault;
	return -1;
}

int
renameat(int from_folder, const char *from, int to_folder, const char *to)
{
	static int (*real)(int, const char *, int, const char *) = NULL;
	int fault;

	if (real == NULL)
		real = (int (*)(int, const char *, int, const char *)) dlsym(RTLD_NEXT, "renameat");
	fault = strcmp(to, "keyring") == 0 ? fault_at("rename") : 0;
	if (fault == 0)
		return real(from_folder, from, to_folder, to);
	if (fault < 0)
		die();
	errno = fault;
	return -1;
}

int
renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned int flags)
{
	static int (*real)(int, const char *, int, const char *, unsigned int) = NULL;
	int fault;

	if (real == NULL)
		real = (int (*)(int, const char *, int, const char *, unsigned int)) dlsym(RTLD_NEXT, "renameat2");
	fault = strcmp(to, "keyring") == 0 ? fault_at("rename") : 0;
	if (fault == 0)
		return real(from_folder, from, to_folder, to, flags);
	if (fault < 0)
		die();
	errno = fault;
	return -1;
}
