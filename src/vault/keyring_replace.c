/*
 * vault/keyring_replace.c - replacing the file of the keyring.
 *
 * The new file and the old one change places, so that the old one keeps a name until it is overwritten: who
 * is killed in between leaves it to be found. Where the file system cannot do that, the old one loses its
 * name when it is replaced, and is overwritten then.
 */
#include "postgres.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log_safe.h"
#include "vault/keyring_file.h"

static bool
write_whole(int file, const char *bytes, Size length)
{
	while (length > 0)
	{
		ssize_t put = write(file, bytes, length);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
		{
			if (put == 0)
				errno = ENOSPC;
			return false;
		}
		bytes += put;
		length -= (Size) put;
	}
	return true;
}

/*
 * Best effort: a file system that copies on write, a journal that holds data, and the wear levelling of a
 * disk leave the old bytes where they were. They hold wrapped keys only, so what opens them has to come from
 * elsewhere.
 */
static bool
overwrite(int file)
{
	static const char zeros[8192];
	struct stat status;
	int64 left;

	if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || lseek(file, 0, SEEK_SET) != 0)
		return false;
	for (left = status.st_size; left > 0; left -= Min(left, (int64) sizeof(zeros)))
		if (!write_whole(file, zeros, (Size) Min(left, (int64) sizeof(zeros))))
			return false;
	return fsync(file) == 0;
}

/*
 * What a crash left of a replacement may hold what was to be destroyed since. While a rename is not durable
 * it may be the keyring again after another crash.
 */
static bool
clear_leftover(int folder, const char *name)
{
	struct stat status;
	int file;

	if (fsync(folder) != 0)
		return false;
	file = openat(folder, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (file >= 0)
	{
		if (fstat(file, &status) == 0 && status.st_nlink == 1)
			(void) overwrite(file);
		close(file);
	}
	return unlinkat(folder, name, 0) == 0;
}

bool
paws_keyring_clear(const PawsKeyringPlace *place)
{
	static const char *const suffixes[] = {PAWS_KEYRING_NEW, PAWS_KEYRING_OLD};

	for (size_t i = 0; i < lengthof(suffixes); i++)
	{
		char name[NAME_MAX + 1];
		struct stat status;

		snprintf(name, sizeof(name), "%s%s", place->name, suffixes[i]);
		if (fstatat(place->folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
			!clear_leftover(place->folder, name))
			return false;
	}
	return true;
}

/* A durable file of this name; or errno, and no file. */
static bool
write_new(int folder, const char *name, const char *text, Size length)
{
	int file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
	int saved;

	if (file < 0)
		return false;
	PAWS_FAULT();
	if (fchmod(file, S_IRUSR | S_IWUSR) == 0 && write_whole(file, text, length) && fsync(file) == 0)
	{
		PAWS_FAULT();
		if (close(file) == 0)
			return true;
		saved = errno;
	}
	else
	{
		saved = errno;
		close(file);
	}
	unlinkat(folder, name, 0);
	errno = saved;
	return false;
}

/* The old file to overwrite; -1 if there is none, or none that can be written. */
static int
open_old(const PawsKeyringPlace *place)
{
	const int flags = O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
	int file = openat(place->folder, place->name, flags);

	/* closed to ourselves by its mode, which is about to be that of another file */
	if (file < 0 && errno == EACCES && fchmodat(place->folder, place->name, S_IRUSR | S_IWUSR, 0) == 0)
		file = openat(place->folder, place->name, flags);
	return file;
}

/* One name is that of the replacement itself; under another it is somebody's copy. */
static void
overwrite_old(int old, bool named, bool destroy)
{
	struct stat status;
	bool linked = fstat(old, &status) == 0 && status.st_nlink > (named ? 1 : 0);

	if (linked && !destroy)
		return;
	if (!overwrite(old) && destroy)
		ereport_domain(LOG, PAWS_LOG_SAFE,
					   (errmsg("the keyring that was replaced could not be overwritten"),
						errdetail(
							"The destroyed keys may stay on its disk, wrapped, until their place is used "
							"again.")));
}

/* Not every file system can do this. */
static bool
exchange(int folder, const char *one, const char *other)
{
#ifdef RENAME_EXCHANGE
	return renameat2(folder, one, folder, other, RENAME_EXCHANGE) == 0;
#else
	return false;
#endif
}

/* Gives the new file the keyring's name. *kept is the name that the old one has then, NULL if it has none. */
static bool
put_in_place(const PawsKeyringPlace *place, const char *new_name, const char *old_name, const char **kept)
{
	int folder = place->folder;

	*kept = NULL;
	if (!exchange(folder, new_name, place->name))
		return renameat(folder, new_name, folder, place->name) == 0;
	*kept = renameat(folder, new_name, folder, old_name) == 0 ? old_name : new_name;
	return true;
}

/* After the new file is in its place. False if that is not durable: then the old one may be the keyring again
 * after a crash, and has to stay as it is. */
static bool
finish(int folder, int old, const char *kept, bool destroy)
{
	PAWS_FAULT();
	if (fsync(folder) != 0)
		return false;
	PAWS_FAULT();
	if (old >= 0)
		overwrite_old(old, kept != NULL, destroy);
	PAWS_FAULT();
	if (kept != NULL)
		(void) unlinkat(folder, kept, 0);
	return true;
}

bool
paws_keyring_replace(const PawsKeyringPlace *place, const char *text, Size length, bool destroy)
{
	char new_name[NAME_MAX + 1];
	char old_name[NAME_MAX + 1];
	const char *kept;
	bool done;
	int old;
	int saved;

	snprintf(new_name, sizeof(new_name), "%s" PAWS_KEYRING_NEW, place->name);
	snprintf(old_name, sizeof(old_name), "%s" PAWS_KEYRING_OLD, place->name);
	if (!paws_keyring_clear(place) || !write_new(place->folder, new_name, text, length))
		return false;
	old = open_old(place);
	done = put_in_place(place, new_name, old_name, &kept);
	saved = errno;
	if (done)
	{
		done = finish(place->folder, old, kept, destroy);
		saved = errno;
	}
	else
		unlinkat(place->folder, new_name, 0);
	if (old >= 0)
		close(old);
	errno = saved;
	return done;
}
