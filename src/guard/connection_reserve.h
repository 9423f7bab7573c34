/*
 * guard/connection_reserve.h - connection slots that ordinary clients leave free for crisis traffic.
 */
#ifndef PAWS_GUARD_CONNECTION_RESERVE_H
#define PAWS_GUARD_CONNECTION_RESERVE_H

#include "postgres.h"

/*
 * Hooks the end of authentication. Called from _PG_init while preloading.
 *
 * While fewer slots are free than superuser_reserved_connections and paws_sync.crisis_reserved_connections
 * together, only superusers and members of paws_sync.crisis_role get in; others end with 53300, as the server
 * ends them when its own reserve is all that is left. Without such a role nothing is kept free.
 */
extern void paws_connection_reserve_init(void);

/* True if the setting names a role that exists. Needs a transaction. */
extern bool paws_connection_reserve_role_exists(void);

#endif
