/*
 * guard/log_scrub.h - the silent log: what reaches the server's log carries no values of anybody.
 *
 * Under paws_sync.log_scrub = all every line keeps its severity, its SQLSTATE, the untranslated template of
 *its message and the place in the source that wrote it, and nothing else:
 *
 *		ERROR:  duplicate key value violates unique constraint "%s" [23505 _bt_check_unique:664]
 *
 * Clients receive what they always did.
 */
#ifndef PAWS_GUARD_LOG_SCRUB_H
#define PAWS_GUARD_LOG_SCRUB_H

#include "postgres.h"

/* Installs the hook. Called from _PG_init, in the postmaster, before anything of ours may log. */
extern void paws_log_scrub_init(void);

/* True if this process's log lines come to our hook first. False without a preload, and when a library that
 * was loaded later has put a hook of its own before ours: that one sees everything. */
extern bool paws_log_scrub_is_first(void);

/* The hook that was there before ours, which gets scrubbed lines; NULL if there is none. */
extern emit_log_hook_type paws_log_scrub_next(void);

#endif
