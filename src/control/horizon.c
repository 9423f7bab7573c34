/*
 * control/horizon.c - times of transactions, and dead rows that a horizon keeps; the holders are found in
 * horizon.sql.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/relation.h"
#include "access/transam.h"
#include "base/shmem.h"
#include "base/spi.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "control/horizon.h"
#include "control/rows.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/spin.h"
#include "utils/array.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* Rings of notes, each four times as coarse as the one before: the last has notes of half a year. */
#define RINGS        10
#define NOTES        16
#define FINEST_USECS (10 * USECS_PER_SEC)

/* Pages of each table that are looked at. */
#define PAGES 64

#define HORIZONS_MAX 1000

typedef struct Note
{
	TimestampTz at; /* 0: none */
	uint64 next;    /* the next transaction then */
} Note;

typedef struct Ring
{
	int newest;
	Note note[NOTES];
} Ring;

typedef struct Notes
{
	slock_t mutex; /* all below */
	Ring ring[RINGS];
} Notes;

/* What keeping everything from one transaction on holders. */
typedef struct Holder
{
	TransactionId horizon;
	double rows;
	double bytes;
} Holder;

static Notes *notes = NULL;

PG_FUNCTION_INFO_V1(paws_horizon_counts);
PG_FUNCTION_INFO_V1(paws_horizon_since);
PG_FUNCTION_INFO_V1(paws_horizon_cost);

static PawsStatement find_tables = {
	.sql = "SELECT c.oid::pg_catalog.int8 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid "
		   "OPERATOR(pg_catalog.=) c.relnamespace WHERE c.relkind OPERATOR(pg_catalog.=) 'r' AND n.nspname "
		   "OPERATOR(pg_catalog.=) ANY ('{paws_queue,paws_care,paws_crisis}'::pg_catalog.name[])",
	.read_only = true,
};

static Size
size(void)
{
	return sizeof(Notes);
}

static void
attach(void *memory, bool found)
{
	notes = memory;
	if (found)
		return;
	memset(notes, 0, sizeof(Notes));
	SpinLockInit(&notes->mutex);
}

void
paws_horizon_init(void)
{
	static const PawsSharedPart part = {"paws_sync horizon", size, attach, NULL};

	paws_shmem_offer(&part);
}

void
paws_horizon_note(void)
{
	Note note = {GetCurrentTimestamp(), U64FromFullTransactionId(ReadNextFullTransactionId())};
	int64 apart = FINEST_USECS;

	SpinLockAcquire(&notes->mutex);
	for (int i = 0; i < RINGS; i++, apart *= 4)
	{
		Ring *ring = &notes->ring[i];
		int64 passed = note.at - ring->note[ring->newest].at;

		/* a clock that was set back must not end the notes for as long */
		if (passed >= 0 && passed < apart)
			continue;
		ring->newest = (ring->newest + 1) % NOTES;
		ring->note[ring->newest] = note;
	}
	SpinLockRelease(&notes->mutex);
}

/* When this transaction was the next, or an earlier one; 0 if no note is that old. */
static TimestampTz
noted_before(uint64 transaction)
{
	Note best = {0, 0};

	SpinLockAcquire(&notes->mutex);
	for (int i = 0; i < RINGS; i++)
		for (int j = 0; j < NOTES; j++)
		{
			Note *note = &notes->ring[i].note[j];

			if (note->at != 0 && note->next <= transaction &&
				(note->next > best.next || (note->next == best.next && note->at > best.at)))
				best = *note;
		}
	SpinLockRelease(&notes->mutex);
	return best.at;
}

Datum
paws_horizon_since(PG_FUNCTION_ARGS)
{
	FullTransactionId next = ReadNextFullTransactionId();
	TransactionId transaction = (TransactionId) PG_GETARG_INT64(0);
	TimestampTz at;

	paws_shmem_require();
	at = noted_before(U64FromFullTransactionId(next) -
					  (uint32) (XidFromFullTransactionId(next) - transaction));
	if (at == 0)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(at);
}

/* What the server's own computation of horizons leaves out. */
Datum
paws_horizon_counts(PG_FUNCTION_ARGS)
{
	PGPROC *process;
	bool counts;

	paws_shmem_require();
	LWLockAcquire(ProcArrayLock, LW_SHARED);
	process = BackendPidGetProcWithLock(PG_GETARG_INT32(0));
	counts = process != NULL && (process->statusFlags & (PROC_IN_VACUUM | PROC_IN_LOGICAL_DECODING)) == 0;
	LWLockRelease(ProcArrayLock);
	PG_RETURN_BOOL(counts);
}

/* A dead row is kept by every horizon that its end is not before. */
static void
count_page(Relation relation, Buffer buffer, double weight, Holder *holders, int count)
{
	Page page = BufferGetPage(buffer);
	OffsetNumber last = PageIsNew(page) ? InvalidOffsetNumber : PageGetMaxOffsetNumber(page);

	for (OffsetNumber offset = FirstOffsetNumber; offset <= last; offset++)
	{
		ItemId item = PageGetItemId(page, offset);
		HeapTupleData tuple;
		TransactionId dead_after;

		if (!ItemIdIsNormal(item))
			continue;
		ItemPointerSet(&tuple.t_self, BufferGetBlockNumber(buffer), offset);
		tuple.t_tableOid = RelationGetRelid(relation);
		tuple.t_data = (HeapTupleHeader) PageGetItem(page, item);
		tuple.t_len = ItemIdGetLength(item);
		if (HeapTupleSatisfiesVacuumHorizon(&tuple, buffer, &dead_after) != HEAPTUPLE_RECENTLY_DEAD)
			continue;
		for (int i = 0; i < count; i++)
			if (!TransactionIdPrecedes(dead_after, holders[i].horizon))
			{
				holders[i].rows += weight;
				holders[i].bytes += weight * tuple.t_len;
			}
	}
}

/* Pages at even distances stand for those between them. */
static void
count_table(Relation relation, Holder *holders, int count)
{
	BufferAccessStrategy strategy = GetAccessStrategy(BAS_BULKREAD);
	BlockNumber blocks = RelationGetNumberOfBlocks(relation);
	BlockNumber looked_at = Min(blocks, PAGES);

	for (BlockNumber i = 0; i < looked_at; i++)
	{
		BlockNumber block = (BlockNumber) ((uint64) i * blocks / looked_at);
		Buffer buffer = ReadBufferExtended(relation, MAIN_FORKNUM, block, RBM_NORMAL, strategy);

		CHECK_FOR_INTERRUPTS();
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		count_page(relation, buffer, (double) blocks / looked_at, holders, count);
		UnlockReleaseBuffer(buffer);
	}
	FreeAccessStrategy(strategy);
}

/* Tables that somebody has locked are left out: who asks why all is slow must not wait for it. */
static void
count_tables(Holder *holders, int count)
{
	int tables;

	paws_spi_begin();
	tables = (int) paws_spi_run(&find_tables, NULL, NULL, 0);
	for (int row = 0; row < tables; row++)
	{
		Oid oid = (Oid) paws_spi_int64(row, 1);
		Relation relation;

		if (!ConditionalLockRelationOid(oid, AccessShareLock))
			continue;
		relation = try_relation_open(oid, NoLock);
		if (relation == NULL)
			continue;
		if (relation->rd_rel->relam == HEAP_TABLE_AM_OID)
			count_table(relation, holders, count);
		relation_close(relation, AccessShareLock);
	}
	paws_spi_end();
}

Datum
paws_horizon_cost(PG_FUNCTION_ARGS)
{
	Holder *holders;
	Datum *values;
	bool *nulls;
	int count;
	PawsRows rows;

	paws_shmem_require();
	paws_rows_begin(&rows, fcinfo);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &values, &nulls, &count);
	count = Min(count, HORIZONS_MAX);
	holders = palloc0(Max(count, 1) * sizeof(Holder));
	for (int i = 0; i < count; i++)
		holders[i].horizon = nulls[i] ? MaxTransactionId : (TransactionId) DatumGetInt64(values[i]);
	if (count > 0)
		count_tables(holders, count);
	for (int i = 0; i < count; i++)
	{
		paws_row_datum(&rows, Int32GetDatum(i + 1));
		paws_row_datum(&rows, Int64GetDatum((int64) (nulls[i] ? 0 : holders[i].rows)));
		paws_row_datum(&rows, Int64GetDatum((int64) (nulls[i] ? 0 : holders[i].bytes)));
		paws_row_end(&rows);
	}
	return (Datum) 0;
}
