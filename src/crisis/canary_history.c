/*
 * crisis/canary_history.c - the rows of the canary: its devices, and its hours.
 */
#include "postgres.h"

#include "base/spi.h"
#include "catalog/pg_type.h"
#include "crisis/canary_history.h"
#include "crisis/crisis.h"
#include "guard/mint.h"
#include "registry/registry.h"
#include "utils/timestamp.h"
#include "vault/vault.h"

#define DAYS_KEPT 31

enum
{
	ROLE_DEVICE = 1,
	ROLE_WATCHER = 2
};

static PawsStatement find_identity = {
	.sql =
		"SELECT c.role, d.device, d.subject_no FROM paws_crisis.canary_device c JOIN paws_registry.device d "
		"ON d.device OPERATOR(paws_sync.=) c.device ORDER BY c.role",
};

static PawsStatement forget_identity = {
	.sql = "DELETE FROM paws_crisis.canary_device",
};

static PawsStatement add_identity = {
	.sql = "INSERT INTO paws_crisis.canary_device (role, device) VALUES ($1, $2)",
	.nargs = 2,
	.types = {INT2OID},
	.type_names = {NULL, "device"},
};

static PawsStatement find_last = {
	.sql = "SELECT last_at, running FROM paws_crisis.canary ORDER BY hour DESC LIMIT 1",
};

static PawsStatement add_hour = {
	.sql =
		"INSERT INTO paws_crisis.canary AS c (hour, measured, there, rounds, failed, worst, last_at, running) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (hour) DO UPDATE SET "
		"measured = c.measured OPERATOR(pg_catalog.+) excluded.measured, "
		"there = c.there OPERATOR(pg_catalog.+) excluded.there, "
		"rounds = c.rounds OPERATOR(pg_catalog.+) excluded.rounds, "
		"failed = c.failed OPERATOR(pg_catalog.+) excluded.failed, "
		"worst = GREATEST(c.worst, excluded.worst), last_at = excluded.last_at, running = excluded.running",
	.nargs = 8,
	.types = {TIMESTAMPTZOID, INT8OID, INT8OID, INT4OID, INT4OID, INT8OID, TIMESTAMPTZOID, BOOLOID},
};

static PawsStatement drop_hours = {
	.sql = "DELETE FROM paws_crisis.canary WHERE hour OPERATOR(pg_catalog.<) $1",
	.nargs = 1,
	.types = {TIMESTAMPTZOID},
};

static PawsStatement sum_hours = {
	.sql = "SELECT COALESCE(pg_catalog.sum(measured), 0)::pg_catalog.int8, "
		   "COALESCE(pg_catalog.sum(there), 0)::pg_catalog.int8 FROM paws_crisis.canary "
		   "WHERE hour OPERATOR(pg_catalog.>) $1",
	.nargs = 1,
	.types = {TIMESTAMPTZOID},
};

bool
paws_canary_identity(PawsCanaryIdentity *identity)
{
	bool isnull;

	if (paws_spi_run(&find_identity, NULL, NULL, 0) != 2)
		return false;
	identity->device = *paws_datum_token(paws_spi_column(0, 2, &isnull));
	identity->watcher = *paws_datum_token(paws_spi_column(1, 2, &isnull));
	identity->subject_no = paws_spi_int64(0, 3);
	return identity->subject_no == paws_spi_int64(1, 3);
}

bool
paws_canary_can_be_made(void)
{
	return paws_vault_ready(PAWS_ROOT_CARE) && paws_vault_ready(PAWS_ROOT_CRISIS) &&
		   paws_vault_match_root(PAWS_ROOT_CARE) == PAWS_ROOT_MATCHES &&
		   paws_vault_match_root(PAWS_ROOT_CRISIS) == PAWS_ROOT_MATCHES;
}

static void
add_device(int16 role, const PawsToken *subject, int64 subject_no, PawsToken *device)
{
	Datum args[2] = {Int16GetDatum(role), PointerGetDatum(device)};

	*device = *paws_mint_random(PAWS_TOKEN_DEVICE, subject);
	(void) paws_registry_add_device(device, subject_no, PAWS_PLATFORM_SERVER, true);
	paws_spi_run(&add_identity, args, NULL, 0);
}

void
paws_canary_make_identity(PawsCanaryIdentity *identity)
{
	static const PawsCollection collection = {.klass = PAWS_CLASS_SAFETY,
											  .on_conflict = PAWS_CONFLICT_SERVER_ORDER,
											  .sealing = PAWS_SEALING_STANDARD};
	PawsToken *subject = paws_mint_random(PAWS_TOKEN_SUBJECT, NULL);

	paws_vault_require_root(PAWS_ROOT_CARE);
	paws_vault_require_root(PAWS_ROOT_CRISIS);
	paws_spi_run(&forget_identity, NULL, NULL, 0);
	if (paws_registry_collection(PAWS_CANARY_COLLECTION, strlen(PAWS_CANARY_COLLECTION)) == NULL)
		paws_registry_define(PAWS_CANARY_COLLECTION, strlen(PAWS_CANARY_COLLECTION), &collection);
	identity->subject_no = paws_registry_ensure_subject(subject);
	paws_store_ensure_counter(&paws_crisis_store, identity->subject_no);
	paws_vault_ensure_data_key(PAWS_KEYS_CRISIS, identity->subject_no);
	add_device(ROLE_DEVICE, subject, identity->subject_no, &identity->device);
	add_device(ROLE_WATCHER, subject, identity->subject_no, &identity->watcher);
}

/* Hours of UTC, wherever the server is. */
static TimestampTz
hour_of(TimestampTz time)
{
	return paws_manifest_time(PAWS_CLOCK_SLOW, PAWS_TIER_NONE, time);
}

/* Since when there is something to account for; `now` if there is not. */
static TimestampTz
account_from(const PawsCanaryAccount *account, TimestampTz now)
{
	TimestampTz oldest = now - DAYS_KEPT * USECS_PER_DAY;
	TimestampTz from = now;

	if (account->elapsed >= 0)
		from = now - account->elapsed;
	else if (paws_spi_run(&find_last, NULL, NULL, 1) > 0 && paws_spi_bool(0, 2))
		from = paws_spi_int64(0, 1);
	/* a wall clock that was set back tells nothing */
	return Min(Max(from, oldest), now);
}

static int64
within(TimestampTz hour, TimestampTz from, TimestampTz to)
{
	return Max(Min(hour + USECS_PER_HOUR, to) - Max(hour, from), 0);
}

void
paws_canary_account(const PawsCanaryAccount *account)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz from = account_from(account, now);
	TimestampTz last = hour_of(now);
	Datum oldest = TimestampTzGetDatum(last - DAYS_KEPT * USECS_PER_DAY);

	if (from == now && !account->round)
		return;
	for (TimestampTz hour = hour_of(from); hour <= last; hour += USECS_PER_HOUR)
	{
		bool ends = hour == last;
		Datum args[8] = {TimestampTzGetDatum(hour),
						 Int64GetDatum(within(hour, from, now)),
						 Int64GetDatum(within(hour, now - account->there, now)),
						 Int32GetDatum(ends && account->round),
						 Int32GetDatum(ends && account->failed),
						 Int64GetDatum(ends ? account->latency : 0),
						 TimestampTzGetDatum(now),
						 BoolGetDatum(account->running)};

		paws_spi_run(&add_hour, args, NULL, 0);
	}
	paws_spi_run(&drop_hours, &oldest, NULL, 0);
}

void
paws_canary_availability(int days, int64 *measured, int64 *there)
{
	Datum since = TimestampTzGetDatum(GetCurrentTimestamp() - days * USECS_PER_DAY);

	paws_spi_run(&sum_hours, &since, NULL, 1);
	*measured = paws_spi_int64(0, 1);
	*there = paws_spi_int64(0, 2);
}

void
paws_canary_trim(int64 subject_no)
{
	PawsExpiry expiry = {.subject_no = subject_no, .cutoff = GetCurrentTimestamp() - USECS_PER_HOUR};

	(void) paws_store_expire(&paws_crisis_store, &expiry, 1);
}
