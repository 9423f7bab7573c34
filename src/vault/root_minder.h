/*
 * vault/root_minder.h - the process between the postmaster and the command of a root.
 *
 * The postmaster may have no child that it cannot end and reap: a program that changes its user can be
 * neither, and the server's own reaper takes a child that it does not know and that was killed for a crash.
 * So a fork of the postmaster starts the program, watches its time, ends it with everything that it started,
 * reaps all that, and exits.
 */
#ifndef PAWS_VAULT_ROOT_MINDER_H
#define PAWS_VAULT_ROOT_MINDER_H

#include "postgres.h"

#include <signal.h>

/* What the parent sends when it has read the output to its end. */
#define PAWS_MINDER_OUTPUT_READ SIGUSR1

/* The exit status of a minder; anything else is a failure too. */
#define PAWS_MINDER_GOOD    0 /* the program ended with status 0 */
#define PAWS_MINDER_FAILED  1
#define PAWS_MINDER_TIMEOUT 2

/*
 * Runs `program` with `argv` and its standard output on descriptor `output`, until it has ended and the
 * output was read, but for at most `timeout` ms. To be called in a fresh fork of process `parent`; ends it.
 * SIGTERM, or the end of the parent, cut it short.
 */
extern void paws_minder_run(const char *program, char *const argv[], int output, int timeout, pid_t parent)
	pg_attribute_noreturn();

#endif
