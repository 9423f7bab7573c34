/*
 * guard/connection_reserve.c - the hook of authentication that keeps the reserve.
 *
 * The server has given a client its slot before the client proves who it is. So what a client sees as free
 * here is free beside its own slot, and many that come at once each see fewer: none of them can take the
 * reserve together. While one stalls in authentication it does hold a slot, for authentication_timeout at
 * most.
 */
#include "postgres.h"

#include "base/settings.h"
#include "guard/connection_reserve.h"
#include "libpq/auth.h"
#include "libpq/libpq-be.h"
#include "miscadmin.h"
#include "postmaster/postmaster.h"
#include "replication/walsender.h"
#include "storage/proc.h"
#include "utils/acl.h"

static ClientAuthentication_hook_type next_hook = NULL;

static Oid
crisis_role(void)
{
	if (paws_crisis_role == NULL || paws_crisis_role[0] == '\0')
		return InvalidOid;
	return get_role_oid(paws_crisis_role, true);
}

bool
paws_connection_reserve_role_exists(void)
{
	return OidIsValid(crisis_role());
}

/* The hook runs in a transaction that sees the shared catalogs: pg_hba.conf is read by memberships too. */
static bool
may_use_reserve(const char *user_name)
{
	Oid role = crisis_role();
	Oid user = get_role_oid(user_name, true);

	/* without a role to keep slots for nothing is kept; a user who does not exist is refused by the server */
	if (!OidIsValid(role) || !OidIsValid(user))
		return true;
	return superuser_arg(user) || is_member_of_role_nosuper(user, role);
}

static void
keep_reserve(Port *port, int status)
{
	if (next_hook)
		next_hook(port, status);
	/* walsenders have slots of their own */
	if (status != STATUS_OK || am_walsender || paws_crisis_reserved_connections == 0 ||
		HaveNFreeProcs(ReservedBackends + paws_crisis_reserved_connections))
		return;
	if (!may_use_reserve(port->user_name))
		ereport(
			FATAL,
			(errcode(ERRCODE_TOO_MANY_CONNECTIONS),
			 errmsg("remaining connection slots are reserved for crisis traffic"),
			 errhint(
				 "Use fewer connections or a pooler, or raise \"max_connections\". What serves people in a "
				 "crisis connects as a member of the role that \"paws_sync.crisis_role\" names.")));
}

void
paws_connection_reserve_init(void)
{
	next_hook = ClientAuthentication_hook;
	ClientAuthentication_hook = keep_reserve;
}
