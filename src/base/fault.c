/*
 * base/fault.c - crashes on order, in builds for tests.
 */
#include "postgres.h"

#include "base/fault.h"

#ifdef PAWS_FAULT_POINTS

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/shmem.h"
#include "miscadmin.h"
#include "port/atomics.h"

static pg_atomic_uint64 *passed = NULL;

static Size
fault_size(void)
{
	return sizeof(pg_atomic_uint64);
}

static void
fault_attach(void *memory, bool found)
{
	passed = memory;
	if (!found)
		pg_atomic_init_u64(passed, 0);
}

void
paws_fault_init(void)
{
	static const PawsSharedPart part = {"paws_sync faults", fault_size, fault_attach, NULL};

	paws_shmem_offer(&part);
}

void
paws_fault(void)
{
	const char *at = getenv("PAWS_FAULT_AT");
	const char *marker = getenv("PAWS_FAULT_FILE");
	int file;

	if (passed == NULL || at == NULL || marker == NULL ||
		pg_atomic_add_fetch_u64(passed, 1) != strtoul(at, NULL, 10))
		return;
	file = open(marker, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (file < 0)
		return;
	close(file);
	kill(MyProcPid, SIGKILL);
}

#endif
