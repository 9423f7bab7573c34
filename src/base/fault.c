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

/* The number in the file, 0 if there is no such file. */
static uint64
read_order(const char *path)
{
	char text[32] = {0};
	int file = open(path, O_RDONLY | O_CLOEXEC);

	if (file < 0)
		return 0;
	if (read(file, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(file);
	return strtoull(text, NULL, 10);
}

static void
write_trace(const char *path, const char *file, int line)
{
	char name[MAXPGPATH];
	char text[MAXPGPATH];
	int length = snprintf(text, sizeof(text), "%s:%d\n", file, line);
	int trace;

	snprintf(name, sizeof(name), "%s.passed", path);
	trace = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (trace < 0)
		return;
	if (write(trace, text, length) != length)
		abort();
	close(trace);
}

void
paws_fault(const char *file, int line)
{
	const char *path = getenv("PAWS_FAULT_FILE");
	uint64 order;

	if (passed == NULL || path == NULL || !IsUnderPostmaster)
		return;
	order = read_order(path);
	if (order == 0)
	{
		pg_atomic_write_u64(passed, 0);
		return;
	}
	write_trace(path, file, line);
	if (pg_atomic_add_fetch_u64(passed, 1) != order)
		return;
	unlink(path);
	kill(MyProcPid, SIGKILL);
	for (;;)
		pause();
}

#endif
