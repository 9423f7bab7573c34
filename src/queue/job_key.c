/*
 * queue/job_key.c - idempotency keys: used once, remembered with what became of the job.
 */
#include "postgres.h"

#include "base/spi.h"
#include "guard/manifest.h"
#include "miscadmin.h"
#include "queue/job_private.h"
#include "utils/timestamp.h"

/* A key is remembered this long after its job, at least. */
#define KEPT_MIN_US (INT64CONST(3600) * USECS_PER_SEC)

enum KeyColumn
{
	KEY_DIGEST = 1,
	KEY_JOB,
	KEY_UNTIL,
	KEY_SUBJECT_NO,
	KEY_TOPIC_NO,
	KEY_STATE,
	KEY_RESULT
};

#define KEY_COLUMNS KEY_RESULT
#define KEY_PKEY    0

static PawsTable keys_table = {
	.schema = "paws_queue",
	.name = "job_key",
	.indexes = {"job_key_pkey"},
	.columns = KEY_COLUMNS,
};

typedef struct KeyRow
{
	pg_uuid_t digest;
	int64 job;
	TimestampTz until; /* 0: its job is not over */
	int64 subject_no;  /* 0: none */
	int16 topic_no;
	int16 state;
	bytea *result; /* NULL: none */
	ItemPointerData tid;
} KeyRow;

static void
form(const KeyRow *row, Datum *values, bool *nulls)
{
	memset(nulls, 0, KEY_COLUMNS * sizeof(bool));
	values[KEY_DIGEST - 1] = UUIDPGetDatum(&row->digest);
	values[KEY_JOB - 1] = Int64GetDatum(row->job);
	values[KEY_UNTIL - 1] = TimestampTzGetDatum(row->until);
	nulls[KEY_UNTIL - 1] = row->until == 0;
	values[KEY_SUBJECT_NO - 1] = Int64GetDatum(row->subject_no);
	nulls[KEY_SUBJECT_NO - 1] = row->subject_no == 0;
	values[KEY_TOPIC_NO - 1] = Int16GetDatum(row->topic_no);
	values[KEY_STATE - 1] = Int16GetDatum(row->state);
	values[KEY_RESULT - 1] = PointerGetDatum(row->result);
	nulls[KEY_RESULT - 1] = row->result == NULL;
}

/* The row of a key, as it is now; false if there is none. */
static bool
find(const pg_uuid_t *digest, int16 topic_no, Snapshot snapshot, KeyRow *row)
{
	PawsKey keys[2] = {{1, BTEqualStrategyNumber, UUIDPGetDatum(digest)},
					   {2, BTEqualStrategyNumber, Int16GetDatum(topic_no)}};
	PawsScan scan;
	bool found;

	paws_scan_begin(&scan, &keys_table, KEY_PKEY, snapshot, keys, 2);
	found = paws_scan_next(&scan);
	if (found)
	{
		row->digest = *digest;
		row->topic_no = topic_no;
		row->job = paws_scan_int64(&scan, KEY_JOB);
		row->until = paws_scan_int64(&scan, KEY_UNTIL);
		row->subject_no = paws_scan_int64(&scan, KEY_SUBJECT_NO);
		row->state = paws_scan_int16(&scan, KEY_STATE);
		row->result = paws_scan_bytea(&scan, KEY_RESULT);
		row->tid = *paws_scan_place(&scan);
	}
	paws_scan_end(&scan);
	return found;
}

static bool
replace(const KeyRow *row, Snapshot snapshot)
{
	Datum values[KEY_COLUMNS];
	bool nulls[KEY_COLUMNS];
	ItemPointerData tid = row->tid;
	PawsWriter writer;
	bool written;

	form(row, values, nulls);
	paws_writer_begin(&writer, &keys_table, false);
	written = paws_writer_update(&writer, &tid, snapshot, values, nulls, true) == PAWS_WRITTEN;
	paws_writer_end(&writer);
	return written;
}

static bool
insert(const KeyRow *row)
{
	Datum values[KEY_COLUMNS];
	bool nulls[KEY_COLUMNS];
	PawsWriter writer;
	bool inserted;

	form(row, values, nulls);
	paws_writer_begin(&writer, &keys_table, true);
	inserted = paws_writer_insert_once(&writer, &keys_table, KEY_PKEY, values, nulls);
	paws_writer_end(&writer);
	return inserted;
}

/* A job that is nowhere was ended between two looks; or it is of this call, and its row comes with the
 * others. */
static PawsJobState
state_of(int slot, const KeyRow *row)
{
	PawsJobState state = row->until == 0 ? paws_job_stands(slot, row->job) : (PawsJobState) row->state;
	Snapshot snapshot;
	KeyRow now;

	if (state != 0)
		return state;
	snapshot = paws_table_snap(true);
	if (find(&row->digest, row->topic_no, snapshot, &now) && now.job == row->job)
		state = (PawsJobState) now.state;
	paws_table_unsnap(snapshot);
	return state != 0 ? state : PAWS_JOB_COMPLETED;
}

static bytea *
outliving_spi(const bytea *value)
{
	bytea *copy = value != NULL ? paws_spi_alloc(VARSIZE(value)) : NULL;

	if (copy != NULL)
		memcpy(copy, value, VARSIZE(value));
	return copy;
}

/* What is known of the first job of the key. A result of another person's job is not for this caller. */
static void
answer_with(int slot, const KeyRow *row, PawsSubmission *answer)
{
	PawsJobSeal seal = {.topic_no = row->topic_no,
						.job = row->job,
						.subject_no = row->subject_no,
						.subject = answer->subject != NULL ? answer->subject->id : NULL,
						.part = PAWS_JOB_RESULT};

	answer->outcome = PAWS_JOB_WAS_DUPLICATE;
	answer->id = row->job;
	answer->state = state_of(slot, row);
	answer->result = NULL;
	if (row->result != NULL && row->subject_no == answer->subject_no)
		answer->result = outliving_spi(paws_job_unseal(&seal, row->result));
}

typedef enum Used
{
	USED_BY_US,
	USED_BEFORE,
	USED_AGAIN /* it changed meanwhile: look once more */
} Used;

static Used
look(int slot, const KeyRow *fresh, PawsSubmission *answer)
{
	Snapshot snapshot = paws_table_snap(true);
	KeyRow old;
	Used used = USED_AGAIN;

	if (find(&fresh->digest, fresh->topic_no, snapshot, &old))
	{
		if (old.until == 0 || old.until > GetCurrentTimestamp())
		{
			answer_with(slot, &old, answer);
			used = USED_BEFORE;
		}
		else
		{
			KeyRow row = *fresh;

			row.tid = old.tid;
			used = replace(&row, snapshot) ? USED_BY_US : USED_AGAIN;
		}
	}
	paws_table_unsnap(snapshot);
	return used;
}

bool
paws_job_known(int slot, const PawsTopic *topic, PawsSubmission *submission)
{
	Snapshot snapshot = paws_table_snap(true);
	pg_uuid_t digest;
	KeyRow row;
	bool known;

	paws_job_key_digest(topic->no, submission->key, submission->key_length, &digest);
	known = find(&digest, topic->no, snapshot, &row) && (row.until == 0 || row.until > GetCurrentTimestamp());
	if (known)
		answer_with(slot, &row, submission);
	paws_table_unsnap(snapshot);
	return known;
}

bool
paws_job_key_use(int slot, const PawsTopic *topic, const PawsJobRow *row, PawsSubmission *answer)
{
	KeyRow fresh = {.digest = row->key,
					.job = row->id,
					.subject_no = row->subject_no,
					.topic_no = topic->no,
					.state = PAWS_JOB_AVAILABLE};
	Used used = USED_AGAIN;

	while (used == USED_AGAIN)
	{
		CHECK_FOR_INTERRUPTS();
		used = insert(&fresh) ? USED_BY_US : look(slot, &fresh, answer);
	}
	return used == USED_BY_US;
}

/* As coarse as the tier has it, and never shorter. */
static TimestampTz
kept_until(const PawsTopic *topic, const PawsJobRow *row)
{
	TimestampTz until = GetCurrentTimestamp() + Max(topic->history, KEPT_MIN_US);

	return paws_manifest_end(PAWS_CLOCK_ORDINARY, (PawsTier) row->tier, until);
}

void
paws_job_key_end(const PawsTopic *topic, const PawsJobRow *row, PawsJobState state, const bytea *result)
{
	bool done = false;

	while (!done)
	{
		Snapshot snapshot = paws_table_snap(true);
		KeyRow key;

		CHECK_FOR_INTERRUPTS();
		done = !find(&row->key, row->topic_no, snapshot, &key) || key.job != row->id;
		if (!done)
		{
			key.state = state;
			key.until = kept_until(topic, row);
			key.result = unconstify(bytea *, result);
			done = replace(&key, snapshot);
		}
		paws_table_unsnap(snapshot);
	}
}
