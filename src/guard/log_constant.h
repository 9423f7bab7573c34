/*
 * guard/log_constant.h - tells constants of the program from what was made at run time.
 */
#ifndef PAWS_GUARD_LOG_CONSTANT_H
#define PAWS_GUARD_LOG_CONSTANT_H

#include <stdbool.h>

/* Whether the address lies in a segment that the server's binary or one of its libraries has loaded and does
 * not write to, so that what is there is a literal of the source. Never allocates, never fails; false for
 * NULL. Libraries must not be unloaded, which PostgreSQL never does. */
extern bool paws_is_constant(const void *address);

#endif
