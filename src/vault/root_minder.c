/*
 * vault/root_minder.c - runs a program within a time limit and leaves nothing behind.
 *
 * Nothing here may touch what the fork shares with the postmaster: no server functions, no exit handlers.
 */
#include "postgres.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include "vault/root_minder.h"

#define LOOK_AGAIN  5    /* ms */
#define REAP_TIME   1000 /* ms */
#define SIGNALS_MAX 64
#define NOT_STARTED 127
#define FILES_MAX   65536

static char *const environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
									NULL};

static volatile sig_atomic_t stopping = 0;
static volatile sig_atomic_t output_read = 0;

static void
note_stop(int signal_number)
{
	stopping = 1;
}

static void
note_output_read(int signal_number)
{
	output_read = 1;
}

static int64
now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (int64) at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

/* The postmaster's handlers, what it ignores, and what it blocks. */
static void
reset_signals(void)
{
	sigset_t none;

	for (int number = 1; number <= SIGNALS_MAX; number++)
		(void) signal(number, SIG_DFL);
	(void) signal(SIGTERM, note_stop);
	(void) signal(PAWS_MINDER_OUTPUT_READ, note_output_read);
	sigemptyset(&none);
	(void) sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A signal when the parent ends, unless it has already. */
static void
follow_parent(pid_t parent, int signal_number)
{
#ifdef __linux__
	(void) prctl(PR_SET_PDEATHSIG, signal_number);
#endif
	if (getppid() != parent)
		_exit(PAWS_MINDER_FAILED);
}

static void
close_others(void)
{
	long most;

#if defined(__linux__) && defined(SYS_close_range)
	if (syscall(SYS_close_range, 3U, ~0U, 0U) == 0)
		return;
#endif
	most = sysconf(_SC_OPEN_MAX);
	for (int file = 3; file < FILES_MAX && (most < 0 || file < most); file++)
		(void) close(file);
}

/* Output goes to the pipe, everything else to nowhere. */
static void
arrange_descriptors(int output)
{
	int nowhere;

	if (output == STDOUT_FILENO)
		(void) fcntl(output, F_SETFD, 0);
	else if (dup2(output, STDOUT_FILENO) < 0)
		_exit(PAWS_MINDER_FAILED);
	nowhere = open("/dev/null", O_RDWR);
	if (nowhere < 0 || dup2(nowhere, STDIN_FILENO) < 0 || dup2(nowhere, STDERR_FILENO) < 0)
		_exit(PAWS_MINDER_FAILED);
	close_others();
}

static void
start_program(const char *program, char *const argv[], pid_t minder)
{
	/* Of its own, so that it can be ended without its minder. */
	(void) setpgid(0, 0);
	follow_parent(minder, SIGKILL);
	execve(program, argv, environment);
	_exit(NOT_STARTED);
}

/* Reaps what has ended, and orphans come to their minder; false if nobody is left. */
static bool
reap(void)
{
	pid_t ended;

	do
		ended = waitpid(-1, NULL, WNOHANG);
	while (ended > 0 || (ended < 0 && errno == EINTR));
	return ended == 0;
}

/* Ends the program with its group, for which it must not have been reaped. */
static void
end_program(pid_t child)
{
	int64 deadline = now() + REAP_TIME;

	(void) kill(-child, SIGKILL);
	(void) kill(child, SIGKILL);
	while (reap() && now() < deadline)
		(void) poll(NULL, 0, LOOK_AGAIN);
}

typedef enum Progress
{
	RUNNING,
	ENDED_WELL,
	ENDED_BADLY
} Progress;

/* Without reaping it, so that its process id stays its own. */
static Progress
look_at(pid_t child)
{
	siginfo_t ending = {0};

	if (waitid(P_PID, child, &ending, WEXITED | WNOHANG | WNOWAIT) != 0)
		return errno == EINTR ? RUNNING : ENDED_BADLY;
	if (ending.si_pid == 0)
		return RUNNING;
	return ending.si_code == CLD_EXITED && ending.si_status == 0 ? ENDED_WELL : ENDED_BADLY;
}

/*
 * Until the program has ended and the postmaster has read to the end of the output, which somebody that the
 * program started may hold open. Whoever lives on then without it may do so.
 */
static int
watch(pid_t child, int64 deadline)
{
	for (;;)
	{
		Progress progress = look_at(child);

		if (progress == ENDED_WELL && output_read)
		{
			(void) reap();
			return PAWS_MINDER_GOOD;
		}
		if (progress == ENDED_BADLY || stopping || now() >= deadline)
		{
			end_program(child);
			return progress == ENDED_BADLY ? PAWS_MINDER_FAILED : PAWS_MINDER_TIMEOUT;
		}
		(void) poll(NULL, 0, LOOK_AGAIN);
	}
}

void
paws_minder_run(const char *program, char *const argv[], int output, int timeout, pid_t parent)
{
	int64 deadline = now() + timeout;
	pid_t minder = getpid();
	pid_t child;

	reset_signals();
	follow_parent(parent, SIGTERM);
#ifdef __linux__
	(void) prctl(PR_SET_CHILD_SUBREAPER, 1);
#endif
	(void) setsid();
	(void) umask(S_IRWXG | S_IRWXO);
	if (chdir("/") != 0)
		_exit(PAWS_MINDER_FAILED);
	arrange_descriptors(output);

	child = fork();
	if (child == 0)
		start_program(program, argv, minder);
	/* Of the pipe only the program keeps its end. */
	(void) close(STDOUT_FILENO);
	_exit(child < 0 ? PAWS_MINDER_FAILED : watch(child, deadline));
}
