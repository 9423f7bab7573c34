/*
 * crisis/signal.c - raising, resolving and expiring crisis signals.
 */
#include "postgres.h"

#include "base/commit.h"
#include "base/guarded.h"
#include "base/settings.h"
#include "base/spi.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "crisis/attention.h"
#include "crisis/item.h"
#include "crisis/signal.h"
#include "crisis/signal_audit.h"
#include "guard/manifest.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

/* A repeated call changes nothing unless it moves the expiry by more than this part of the whole. */
#define EXPIRY_PARTS 64

/* What read_ended reads. */
#define SIGNAL_COLUMNS(of) "RETURNING " of "signal_id, " of "subject_no, " of "source, " of "severity"

static PawsStatement find_open = {
	.sql = "SELECT signal_id, severity, expires_at FROM paws_crisis.signal "
		   "WHERE subject_no OPERATOR(pg_catalog.=) $1 AND source OPERATOR(pg_catalog.=) $2 "
		   "AND state OPERATOR(pg_catalog.=) 1 AND expires_at OPERATOR(pg_catalog.>) $3 "
		   "ORDER BY severity DESC, twin LIMIT 1",
	.nargs = 3,
	.types = {INT8OID, INT2OID, TIMESTAMPTZOID},
};

/* Whoever ends it waits for this transaction; if somebody is just ending it, it is not held. */
static PawsStatement hold = {
	.sql = "SELECT 1 FROM paws_crisis.signal WHERE signal_id OPERATOR(pg_catalog.=) $1 "
		   "AND state OPERATOR(pg_catalog.=) 1 FOR SHARE SKIP LOCKED",
	.nargs = 1,
	.types = {UUIDOID},
};

static PawsStatement end_expired = {
	.sql = "UPDATE paws_crisis.signal SET state = 3, ended_at = $4 "
		   "WHERE subject_no OPERATOR(pg_catalog.=) $1 AND source OPERATOR(pg_catalog.=) $2 "
		   "AND state OPERATOR(pg_catalog.=) 1 AND expires_at OPERATOR(pg_catalog.<=) $3",
	.nargs = 4,
	.types = {INT8OID, INT2OID, TIMESTAMPTZOID, TIMESTAMPTZOID},
};

/* $1 is the new signal's id: what comes back is that, or the id of the one that is open. */
static PawsStatement put = {
	.sql = "INSERT INTO paws_crisis.signal AS s (signal_id, subject_no, twin, raised_at, expires_at, source, "
		   "severity, state) VALUES ($1, $2, $3, $4, $5, $6, $7, 1) "
		   "ON CONFLICT (subject_no, source, twin) WHERE state OPERATOR(pg_catalog.=) 1 DO UPDATE SET "
		   "severity = GREATEST(s.severity, excluded.severity), "
		   "expires_at = GREATEST(s.expires_at, excluded.expires_at) RETURNING s.signal_id",
	.nargs = 7,
	.types = {UUIDOID, INT8OID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT2OID, INT2OID},
};

/* Twins of the same call go with it. */
static PawsStatement resolve = {
	.sql = "UPDATE paws_crisis.signal s SET state = 2, ended_at = $2 FROM paws_crisis.signal g "
		   "WHERE g.signal_id OPERATOR(pg_catalog.=) $1 AND s.subject_no OPERATOR(pg_catalog.=) g.subject_no "
		   "AND s.source OPERATOR(pg_catalog.=) g.source AND s.state OPERATOR(pg_catalog.=) 1 "
		   "AND g.state OPERATOR(pg_catalog.=) 1 " SIGNAL_COLUMNS("s."),
	.nargs = 2,
	.types = {UUIDOID, TIMESTAMPTZOID},
};

static PawsStatement expire = {
	.sql =
		"UPDATE paws_crisis.signal SET state = 3, ended_at = $2 "
		"WHERE state OPERATOR(pg_catalog.=) 1 AND signal_id OPERATOR(pg_catalog.=) ANY (ARRAY("
		"SELECT signal_id FROM paws_crisis.signal WHERE state OPERATOR(pg_catalog.=) 1 "
		"AND expires_at OPERATOR(pg_catalog.<=) $1 ORDER BY expires_at LIMIT $3 FOR UPDATE SKIP LOCKED)) " SIGNAL_COLUMNS(
			""),
	.nargs = 3,
	.types = {TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID},
};

static TimestampTz
coarse_now(void)
{
	return paws_manifest_time(PAWS_CLOCK_CRISIS, PAWS_TIER_NONE, GetCurrentTimestamp());
}

static void
copy_uuid(pg_uuid_t *to, uint64 row, int column)
{
	bool isnull;

	memcpy(to, DatumGetUUIDP(paws_spi_column(row, column, &isnull)), UUID_LEN);
}

/* A random one (RFC 9562, version 4). */
static void
make_uuid(pg_uuid_t *uuid)
{
	if (!pg_strong_random(uuid->data, UUID_LEN))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not make random numbers")));
	uuid->data[6] = (uuid->data[6] & 0x0f) | 0x40;
	uuid->data[8] = (uuid->data[8] & 0x3f) | 0x80;
}

/* A signal being raised. */
typedef struct Raising
{
	PawsSignal signal; /* id: of the new one, or of that which is open */
	int64 twin;
	pg_uuid_t made;    /* the new one's */
	PawsSeverity open; /* how severe the open one is; 0: none is seen */
	bool held;         /* the open one stays open until this transaction ends */
} Raising;

static void
hold_open(void *arg)
{
	Raising *raising = arg;
	Datum args[1] = {UUIDPGetDatum(&raising->signal.id)};

	raising->held = paws_spi_run(&hold, args, NULL, 1) > 0;
}

/* Another transaction is at the same signal, or was since this one's snapshot. */
static bool
is_held(int sqlstate)
{
	return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE || sqlstate == ERRCODE_T_R_SERIALIZATION_FAILURE ||
		   sqlstate == ERRCODE_T_R_DEADLOCK_DETECTED;
}

/* True if the open one says all of this already, and nobody can end it before this transaction does. */
static bool
is_open(Raising *raising)
{
	PawsSignal *signal = &raising->signal;
	Datum args[3] = {Int64GetDatum(signal->subject_no), Int16GetDatum(signal->source),
					 TimestampTzGetDatum(GetCurrentTimestamp())};
	int64 margin = (signal->expires_at - signal->raised_at) / EXPIRY_PARTS;

	if (paws_spi_run(&find_open, args, NULL, 1) == 0)
		return false;
	raising->open = (PawsSeverity) paws_spi_int16(0, 2);
	if (raising->open < signal->severity || paws_spi_int64(0, 3) < signal->expires_at - margin)
		return false;
	copy_uuid(&signal->id, 0, 1);
	return paws_run_guarded(hold_open, raising, is_held) && raising->held;
}

static void
put_signal(void *arg)
{
	Raising *raising = arg;
	PawsSignal *signal = &raising->signal;
	Datum old[4] = {Int64GetDatum(signal->subject_no), Int16GetDatum(signal->source),
					TimestampTzGetDatum(GetCurrentTimestamp()), TimestampTzGetDatum(signal->raised_at)};
	Datum args[7] = {UUIDPGetDatum(&raising->made),
					 Int64GetDatum(signal->subject_no),
					 Int64GetDatum(raising->twin),
					 TimestampTzGetDatum(signal->raised_at),
					 TimestampTzGetDatum(signal->expires_at),
					 Int16GetDatum(signal->source),
					 Int16GetDatum(signal->severity)};

	if (raising->twin == 0)
		paws_spi_run(&end_expired, old, NULL, 0);
	paws_spi_run(&put, args, NULL, 1);
	copy_uuid(&signal->id, 0, 1);
}

/* Nobody has the key of a twin, so nobody is waited for. */
static void
put_twin(Raising *raising)
{
	do
	{
		if (!pg_strong_random(&raising->twin, sizeof(raising->twin)))
			ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not make random numbers")));
	} while (raising->twin == 0);
	put_signal(raising);
}

/* What a signal that is new, or worse than it was, brings with it. */
static void
follow(int slot, const Raising *raising)
{
	const PawsSignal *signal = &raising->signal;

	if (memcmp(&signal->id, &raising->made, UUID_LEN) == 0)
	{
		paws_item_put_signal(slot, signal);
		paws_signal_audit(slot, PAWS_AUDIT_RAISED, signal);
	}
	else if (raising->open < signal->severity)
	{
		paws_item_raise(slot, signal);
		paws_signal_audit(slot, PAWS_AUDIT_WORSENED, signal);
	}
}

void
paws_signal_raise(int slot, int64 subject_no, PawsSource source, PawsSeverity severity, pg_uuid_t *id)
{
	TimestampTz now = coarse_now();
	Raising raising = {
		.signal = {.subject_no = subject_no, .source = source, .severity = severity, .raised_at = now}};

	PreventCommandIfReadOnly("raise_crisis()");
	raising.signal.expires_at = now + (int64) paws_crisis_signal_expiry * USECS_PER_MINUTE;
	if (!is_open(&raising))
	{
		make_uuid(&raising.made);
		if (!paws_run_guarded(put_signal, &raising, paws_is_held))
			put_twin(&raising);
		follow(slot, &raising);
		paws_signals_found(slot);
		paws_signals_at_commit(slot);
	}
	paws_commit_of_crisis();
	paws_wake_key_at_commit(slot, subject_no);
	*id = raising.signal.id;
}

/* The signals that the last run ended; palloc'd. */
static PawsSignal *
read_ended(int count)
{
	PawsSignal *signals = palloc0(Max(count, 1) * sizeof(PawsSignal));

	for (int i = 0; i < count; i++)
	{
		copy_uuid(&signals[i].id, i, 1);
		signals[i].subject_no = paws_spi_int64(i, 2);
		signals[i].source = (PawsSource) paws_spi_int16(i, 3);
		signals[i].severity = (PawsSeverity) paws_spi_int16(i, 4);
	}
	return signals;
}

static void
note_ended(int slot, PawsAuditOperation operation, const PawsSignal *signals, int count)
{
	for (int i = 0; i < count; i++)
	{
		paws_wake_key_at_commit(slot, signals[i].subject_no);
		paws_signal_audit(slot, operation, &signals[i]);
	}
	if (count > 0)
		paws_signals_at_commit(slot);
}

bool
paws_signal_resolve(int slot, const pg_uuid_t *id)
{
	Datum args[2] = {UUIDPGetDatum(id), TimestampTzGetDatum(coarse_now())};
	PawsSignal *signals;
	int count;

	PreventCommandIfReadOnly("resolve_crisis()");
	count = (int) paws_spi_run(&resolve, args, NULL, 0);
	signals = read_ended(count);
	for (int i = 0; i < count; i++)
		paws_items_cancel_signal(&signals[i].id);
	if (count > 0)
		paws_items_at_abort(slot);
	note_ended(slot, PAWS_AUDIT_RESOLVED, signals, count);
	return count > 0;
}

int
paws_signals_expire(int slot, int limit)
{
	Datum args[3] = {TimestampTzGetDatum(GetCurrentTimestamp()), TimestampTzGetDatum(coarse_now()),
					 Int64GetDatum(limit)};
	int count = (int) paws_spi_run(&expire, args, NULL, 0);

	note_ended(slot, PAWS_AUDIT_LAPSED, read_ended(count), count);
	return count;
}
