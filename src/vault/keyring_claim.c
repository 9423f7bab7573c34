/*
 * vault/keyring_claim.c - which of the servers that share a keyring may destroy in it.
 *
 * A copy of a data directory takes itself for its origin: it has the same system identifier and the same
 * databases, and so owns the same epochs. If both ran with one keyring, as when a backup is tried out beside
 * the server that it was made of, the rotation of one would destroy what the other goes on using. So a server
 * locks a byte of a file beside the keyring, by its identifier, as long as one of its processes lives. One
 * that came second destroys nothing until it is started anew, as the first may only be stopped for a while.
 */
#include "postgres.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/xlog.h"

#include "vault/keyring_private.h"

#define LOCK_SUFFIX ".lock"

/* Opened by the postmaster; all processes have it of it, and the lock belongs to what was opened. */
static int lock_file = -1;

void
paws_keyring_prepare_claim(const PawsKeyringPlace *place)
{
	char name[NAME_MAX + 1];

	if (lock_file >= 0 || snprintf(name, sizeof(name), "%s" LOCK_SUFFIX, place->name) >= (int) sizeof(name))
		return;
	lock_file = openat(place->folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
					   S_IRUSR | S_IWUSR);
}

/* False only if another server has the lock: where the file system has no locks, there is none to be told. */
static bool
lock_byte(void)
{
#ifdef F_OFD_SETLK
	struct flock byte = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};

	byte.l_start = (off_t) (GetSystemIdentifier() & PG_INT64_MAX);
	return lock_file < 0 || fcntl(lock_file, F_OFD_SETLK, &byte) == 0 || (errno != EAGAIN && errno != EACCES);
#else
	return true;
#endif
}

bool
paws_keyring_claim(void)
{
	if (!paws_keyring_came_second() && !lock_byte())
		paws_keyring_come_second();
	return !paws_keyring_came_second();
}
