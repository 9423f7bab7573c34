/*
 * crisis/audit.c - writing the crisis lane's audit rows.
 */
#include "postgres.h"

#include <sodium.h>

#include "base/commit.h"
#include "base/log_safe.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "base/table.h"
#include "crisis/audit.h"
#include "crisis/canary.h"
#include "crisis/audit_private.h"
#include "port/pg_bswap.h"
#include "registry/registry.h"
#include "utils/timestamp.h"

/* Between two lines of the log about rows that are missing. */
#define TELL_EVERY_MS 10000

const PawsAuditBook paws_crisis_book = {PAWS_AUDIT_LOG_CRISIS, PAWS_ROOT_CRISIS, "crisis audit rows 1",
										PAWS_CLOCK_CRISIS};

static PawsTable audit = {.schema = "paws_crisis", .name = "audit", .columns = PAWS_AUDIT_COLUMNS};

/* For each database. */
typedef struct Missing
{
	pg_atomic_uint64 untold;
	pg_atomic_uint64 total;
	pg_atomic_uint64 logged_at; /* TimestampTz */
} Missing;

static Missing *missing = NULL;

static Size
size(void)
{
	return mul_size(paws_max_databases, sizeof(Missing));
}

static void
reset(int slot)
{
	pg_atomic_write_u64(&missing[slot].untold, 0);
	pg_atomic_write_u64(&missing[slot].total, 0);
	pg_atomic_write_u64(&missing[slot].logged_at, 0);
}

static void
attach(void *memory, bool found)
{
	missing = memory;
	for (int slot = 0; !found && slot < paws_max_databases; slot++)
	{
		pg_atomic_init_u64(&missing[slot].untold, 0);
		pg_atomic_init_u64(&missing[slot].total, 0);
		pg_atomic_init_u64(&missing[slot].logged_at, 0);
	}
}

void
paws_crisis_audit_init(void)
{
	static const PawsSharedPart part = {"paws_sync missing audit rows", size, attach, reset};

	paws_shmem_offer(&part);
}

void
paws_crisis_audit_missing(int slot, int64 *untold, int64 *total)
{
	*untold = (int64) pg_atomic_read_u64(&missing[slot].untold);
	*total = (int64) pg_atomic_read_u64(&missing[slot].total);
}

/* What a transaction owes the log, or has taken on itself to tell. */
typedef struct Owed
{
	int slot;
	int64 rows;
} Owed;

static void
count_missing(void *arg)
{
	Owed *owed = arg;

	pg_atomic_fetch_add_u64(&missing[owed->slot].untold, owed->rows);
	pg_atomic_fetch_add_u64(&missing[owed->slot].total, owed->rows);
}

static void
give_back(void *arg)
{
	Owed *owed = arg;

	pg_atomic_fetch_add_u64(&missing[owed->slot].untold, owed->rows);
}

static void
owe(int slot, int64 rows, TimestampTz now)
{
	uint64 last = pg_atomic_read_u64(&missing[slot].logged_at);
	Owed *owed = paws_at_commit(count_missing, sizeof(Owed));

	*owed = (Owed){slot, rows};
	if (last != 0 && now >= (TimestampTz) last &&
		!TimestampDifferenceExceeds((TimestampTz) last, now, TELL_EVERY_MS))
		return;
	if (pg_atomic_compare_exchange_u64(&missing[slot].logged_at, &last, (uint64) now))
		ereport_domain(
			LOG, PAWS_LOG_SAFE,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE), errmsg("audit rows of the crisis lane are missing"),
			 errdetail("Table paws_crisis.audit is locked, altered or gone. Crisis operations go on."),
			 errhint("Look for exclusive locks on it; the next row that can be written says how many are "
					 "missing.")));
}

/* The rows that are missing are told by one of ours, unless it is rolled back. 0: none are. */
static int64
take_untold(int slot)
{
	int64 rows = 0;

	if (pg_atomic_read_u64(&missing[slot].untold) > 0)
		rows = (int64) pg_atomic_exchange_u64(&missing[slot].untold, 0);
	if (rows > 0)
	{
		Owed *owed = paws_at_abort(give_back, sizeof(Owed));

		*owed = (Owed){slot, rows};
	}
	return rows;
}

/* Whom rows are about. */
typedef struct About
{
	int64 subject_no;
	bool known;
	PawsToken token;
	uint8 salt[PAWS_AUDIT_SALT_BYTES];
} About;

/* Nobody knows the salt of one who is forgotten: what is digested then is as good as random. */
static void
look_up(int64 subject_no, About *about)
{
	if (about->subject_no == subject_no)
		return;
	about->subject_no = subject_no;
	about->known = paws_registry_subject_salt(subject_no, &about->token, about->salt);
	if (!about->known)
		randombytes_buf(about->salt, sizeof(about->salt));
}

static Datum
pseudonym_datum(const uint8 *pseudonym, bool *isnull)
{
	pg_uuid_t *datum = palloc(sizeof(pg_uuid_t));

	memcpy(datum->data, pseudonym, PAWS_AUDIT_PSEUDONYM_BYTES);
	*isnull = sodium_is_zero(pseudonym, PAWS_AUDIT_PSEUDONYM_BYTES);
	return UUIDPGetDatum(datum);
}

static Datum
digest_datum(const uint8 *bytes, bool *isnull)
{
	bytea *datum;

	*isnull = bytes == NULL || sodium_is_zero(bytes, PAWS_AUDIT_DIGEST_BYTES);
	if (*isnull)
		return (Datum) 0;
	datum = palloc(VARHDRSZ + PAWS_AUDIT_DIGEST_BYTES);
	SET_VARSIZE(datum, VARHDRSZ + PAWS_AUDIT_DIGEST_BYTES);
	memcpy(VARDATA(datum), bytes, PAWS_AUDIT_DIGEST_BYTES);
	return PointerGetDatum(datum);
}

/* In the order of the table's columns. */
static void
to_tuple(const PawsAuditRow *row, const uint8 *mac, Datum *values, bool *nulls)
{
	bool unused;

	memset(nulls, 0, PAWS_AUDIT_COLUMNS * sizeof(bool));
	values[0] = Int64GetDatum((int64) row->xact);
	values[1] = Int64GetDatum(row->chain);
	values[2] = Int64GetDatum(row->number);
	values[3] = TimestampTzGetDatum(row->at);
	values[4] = Int32GetDatum(row->place);
	values[5] = Int16GetDatum(row->operation);
	values[6] = Int16GetDatum(row->object);
	values[7] = Int16GetDatum(row->klass);
	values[8] = Int16GetDatum(row->result);
	values[9] = Int16GetDatum(mac ? PAWS_AUDIT_KEYED : PAWS_AUDIT_UNKEYED);
	values[10] = pseudonym_datum(row->actor, &unused);
	values[11] = pseudonym_datum(row->subject, &nulls[11]);
	values[12] = digest_datum(row->before, &nulls[12]);
	values[13] = digest_datum(row->after, &nulls[13]);
	values[14] = digest_datum(mac, &nulls[14]);
}

static void
fill_row(PawsAuditRow *row, const PawsCrisisEvent *event, About *about, TimestampTz now)
{
	int32 epoch = paws_audit_epoch(paws_manifest_time(paws_crisis_book.clock, PAWS_TIER_NONE, now));

	*row = (PawsAuditRow){.operation = event->operation,
						  .object = event->object,
						  .klass = event->klass,
						  .result = event->result,
						  .number = event->number};
	if (event->subject_no == 0)
		return;
	look_up(event->subject_no, about);
	if (about->known)
		paws_audit_pseudonym(PAWS_PSEUDONYM_SUBJECT, paws_crisis_book.log, epoch, about->salt,
							 about->token.id, sizeof(about->token.id), row->subject);
	paws_audit_digest(event->object, about->salt, &event->before, row->before);
	paws_audit_digest(event->object, about->salt, &event->after, row->after);
}

/* Rows on their way into the table. */
typedef struct Batch
{
	uint8 actor_salt[PAWS_AUDIT_SALT_BYTES];
	TimestampTz now;
	About about;
	int count;
	Datum *values;
	bool *nulls;
} Batch;

static void
add(Batch *batch, const PawsCrisisEvent *event)
{
	int at = batch->count++ * PAWS_AUDIT_COLUMNS;
	uint8 mac[PAWS_AUDIT_MAC_BYTES];
	PawsAuditRow row;
	bool keyed;

	fill_row(&row, event, &batch->about, batch->now);
	keyed = paws_audit_stamp(&paws_crisis_book, &row, batch->actor_salt, batch->now, mac);
	to_tuple(&row, keyed ? mac : NULL, &batch->values[at], &batch->nulls[at]);
}

void
paws_crisis_audit(int slot, const PawsCrisisEvent *events, int count)
{
	Batch batch = {.now = GetCurrentTimestamp()};
	PawsCrisisEvent gap = {.operation = PAWS_AUDIT_GAP, .object = PAWS_AUDIT_ROWS};
	PawsWriter writer;

	if (count == 0)
		return;
	if (!paws_writer_try_begin(&writer, &audit))
	{
		owe(slot, count, batch.now);
		return;
	}
	batch.values = palloc((count + 1) * PAWS_AUDIT_COLUMNS * sizeof(Datum));
	batch.nulls = palloc((count + 1) * PAWS_AUDIT_COLUMNS * sizeof(bool));
	(void) paws_vault_check_value(paws_crisis_book.root, batch.actor_salt);
	gap.number = take_untold(slot);
	if (gap.number > 0)
		add(&batch, &gap);
	for (int i = 0; i < count; i++)
		add(&batch, &events[i]);
	paws_writer_insert_many(&writer, batch.values, batch.nulls, PAWS_AUDIT_COLUMNS, batch.count);
	paws_writer_end(&writer);
}

/* What a row about a change is digested over, before its envelope; big-endian. */
typedef struct ChangeBytes
{
	uint64 device_no;
	uint64 base_revision;
	uint64 revision;
	uint64 position;
	pg_uuid_t op_id;
	pg_uuid_t doc_id;
	uint16 collection;
	uint8 deleted;
	uint8 mark;
} ChangeBytes;

StaticAssertDecl(PAWS_AUDIT_MAC_BYTES == PAWS_AUDIT_DIGEST_BYTES && PAWS_AUDIT_PSEUDONYM_BYTES == UUID_LEN,
				 "columns have room for what they hold");
StaticAssertDecl(sizeof(ChangeBytes) == 72, "what is digested of a change has padding at its end alone");

static void
to_event(const PawsChange *change, PawsAuditOperation operation, ChangeBytes *bytes, PawsCrisisEvent *event)
{
	const PawsCollection *collection = paws_registry_collection_no(change->collection);

	memset(bytes, 0, sizeof(*bytes));
	bytes->device_no = pg_hton64((uint64) change->device_no);
	bytes->base_revision = pg_hton64((uint64) change->base_revision);
	bytes->revision = pg_hton64((uint64) change->revision);
	bytes->position = pg_hton64((uint64) change->position);
	bytes->op_id = change->op_id;
	bytes->doc_id = change->doc_id;
	bytes->collection = pg_hton16((uint16) change->collection);
	bytes->deleted = change->deleted;
	bytes->mark = (uint8) change->mark;
	*event =
		(PawsCrisisEvent){.operation = operation,
						  .object = PAWS_AUDIT_DOCUMENT,
						  .klass = collection ? collection->klass : 0,
						  .result = change->outcome,
						  .number = operation == PAWS_AUDIT_QUEUED ? change->base_revision : change->revision,
						  .subject_no = change->subject_no,
						  .after = {.bytes = bytes, .length = sizeof(*bytes)}};
	if (change->envelope)
	{
		event->after.more = VARDATA_ANY(change->envelope);
		event->after.more_length = VARSIZE_ANY_EXHDR(change->envelope);
	}
}

void
paws_crisis_audit_changes(int slot, PawsAuditOperation operation, const PawsChange *changes, int count)
{
	ChangeBytes *bytes = palloc(Max(count, 1) * sizeof(ChangeBytes));
	PawsCrisisEvent *events = palloc(Max(count, 1) * sizeof(PawsCrisisEvent));
	int n = 0;

	/* what the canary writes is about nobody, and would be most of the log */
	for (int i = 0; i < count; i++)
		if (!changes[i].repeated && !changes[i].skipped && !paws_canary_is(slot, changes[i].subject_no))
		{
			to_event(&changes[i], operation, &bytes[n], &events[n]);
			n++;
		}
	paws_crisis_audit(slot, events, n);
	pfree(events);
	pfree(bytes);
}
