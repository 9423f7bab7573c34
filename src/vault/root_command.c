/*
 * vault/root_command.c - provider "command": checks a program, has it run, and reads what it writes.
 *
 * While libraries are preloaded the postmaster blocks signals and has its handler for SIGCHLD installed. What
 * is left of the minder when the signal is let through is nothing: it was waited for here.
 */
#include "postgres.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/settings.h"
#include "vault/root_minder.h"
#include "vault/root_provider.h"

#define WORDS_MAX 32
#define TEXT_MAX  4096

/* A command line, split. */
typedef struct Command
{
	char text[TEXT_MAX];
	char *argv[WORDS_MAX + 1];
	char program[PATH_MAX]; /* argv[0] without links */
} Command;

/* False if a word is empty, or there are too many. */
static bool
split(const char *words, Command *command)
{
	char *at = command->text;

	if (strlcpy(command->text, words, sizeof(command->text)) >= sizeof(command->text))
		return false;
	for (int count = 0; count < WORDS_MAX; count++)
	{
		char *space = strchr(at, ' ');

		if (*at == '\0' || space == at)
			return false;
		command->argv[count] = at;
		if (space == NULL)
			return true;
		*space = '\0';
		at = space + 1;
	}
	return false;
}

/* Somebody else who can change the program can have any key. */
static const char *
find_defect(Command *command)
{
	struct stat status;

	if (realpath(command->argv[0], command->program) == NULL || stat(command->program, &status) != 0)
		return "program";
	if (!S_ISREG(status.st_mode) || access(command->program, X_OK) != 0 || !paws_root_owner_safe(&status) ||
		(status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return "program";
	return paws_root_folder_safe(command->program) ? NULL : "folder";
}

static int64
now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (int64) at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

/* Reads to the end, the deadline or the end of the buffer. */
static const char *
read_output(int output, int64 deadline, PawsRootText *text)
{
	while (text->length < text->size)
	{
		struct pollfd ready = {.fd = output, .events = POLLIN};
		int64 left = deadline - now();
		ssize_t got;

		if (left <= 0)
			return "timeout";
		if (poll(&ready, 1, (int) left) <= 0)
			continue;
		got = read(output, text->bytes + text->length, text->size - text->length);
		if (got < 0 && errno != EINTR)
			return "run";
		if (got == 0)
			return NULL;
		text->length += Max(got, 0);
	}
	return "length";
}

/* The minder ends by itself, soon after it is told to. */
static const char *
wait_for_minder(pid_t minder)
{
	int status;
	pid_t ended;

	do
		ended = waitpid(minder, &status, 0);
	while (ended < 0 && errno == EINTR);
	if (ended != minder || !WIFEXITED(status))
		return "run";
	if (WEXITSTATUS(status) == PAWS_MINDER_TIMEOUT)
		return "timeout";
	return WEXITSTATUS(status) == PAWS_MINDER_GOOD ? NULL : "run";
}

static const char *
run(const Command *command, PawsRootText *text)
{
	pid_t parent = getpid();
	int64 deadline = now() + paws_root_command_timeout;
	const char *problem;
	const char *ending;
	int ends[2];
	pid_t minder;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return "run";
	minder = fork();
	if (minder == 0)
		paws_minder_run(command->program, command->argv, ends[1], paws_root_command_timeout, parent);
	(void) close(ends[1]);
	problem = minder < 0 ? "run" : read_output(ends[0], deadline, text);
	(void) close(ends[0]);
	if (minder < 0)
		return problem;
	(void) kill(minder, problem != NULL ? SIGTERM : PAWS_MINDER_OUTPUT_READ);
	ending = wait_for_minder(minder);
	return problem != NULL ? problem : ending;
}

const char *
paws_root_read_command(const char *words, PawsRootText *text)
{
	Command command = {0};
	const char *defect;

	if (!split(words, &command))
		return "argument";
	defect = find_defect(&command);
	return defect != NULL ? defect : run(&command, text);
}
