/*
 * base/fault.c - crashes on order, in builds for tests.
 */
#include "postgres.h"

#include "base/fault.h"

#ifdef PAWS_FAULT_POINTS

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include "miscadmin.h"

/* The number in the file, 0 if there is no such file. */
static long
read_order(const char *path)
{
	char text[32] = {0};
	int file = open(path, O_RDONLY | O_CLOEXEC);

	if (file < 0)
		return 0;
	if (read(file, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(file);
	return strtol(text, NULL, 10);
}

/* Adds a line to the list of passed places; returns how many it has then. */
static long
note_place(const char *path, const char *file, int line)
{
	char name[MAXPGPATH];
	FILE *passed;
	long count = 1;
	int c;

	snprintf(name, sizeof(name), "%s.passed", path);
	passed = fopen(name, "a+");
	if (passed == NULL)
		return 0;
	(void) flock(fileno(passed), LOCK_EX);
	rewind(passed);
	while ((c = getc(passed)) != EOF)
		count += c == '\n';
	fprintf(passed, "%s:%d\n", file, line);
	fclose(passed);
	return count;
}

void
paws_fault(const char *file, int line)
{
	const char *path = getenv("PAWS_FAULT_FILE");
	long order = path == NULL || !IsUnderPostmaster ? 0 : read_order(path);

	if (order == 0 || note_place(path, file, line) != order)
		return;
	unlink(path);
	kill(MyProcPid, SIGKILL);
	for (;;)
		pause();
}

#endif
