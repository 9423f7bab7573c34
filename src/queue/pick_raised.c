/*
 * queue/pick_raised.c - what waits of raised subjects, by the index that begins with the subject.
 *
 * That index goes by document, not by arrival, and an operation is served after the earlier ones of its
 * document. So documents are taken whole or not at all.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "queue/avoid.h"
#include "queue/operation.h"
#include "queue/pick.h"
#include "queue/queue.h"
#include "queue/raise.h"
#include "utils/uuid.h"

/* Operations of one subject that one choice looks at. */
#define ROWS_MAX 1000

typedef struct Found
{
	PawsCandidate candidate;
	pg_uuid_t doc_id;
	bool ready;
} Found;

/* What was read of one subject. */
typedef struct Subject
{
	int count;
	bool whole; /* there is nothing more */
	Found rows[ROWS_MAX];
} Subject;

static void
read_row(PawsScan *scan, const PawsPick *pick, const bool *paused, Found *found)
{
	bool isnull;
	Datum envelope = paws_scan_column(scan, OPERATION_ENVELOPE, &isnull);
	int32 bytes = isnull ? 0 : (int32) toast_datum_size(envelope);
	TimestampTz not_before = paws_scan_int64(scan, OPERATION_NOT_BEFORE);

	found->candidate = (PawsCandidate){.id = paws_scan_int64(scan, OPERATION_ID),
									   .rank = paws_scan_int64(scan, OPERATION_RANK),
									   .subject_no = paws_scan_int64(scan, OPERATION_SUBJECT_NO),
									   .bytes = bytes,
									   .level = paws_scan_int16(scan, OPERATION_LEVEL),
									   .attempts = paws_scan_int16(scan, OPERATION_ATTEMPTS),
									   .place = *paws_scan_place(scan)};
	memcpy(&found->doc_id, DatumGetUUIDP(paws_scan_column(scan, OPERATION_DOC_ID, &isnull)), UUID_LEN);
	found->ready =
		!paused[found->candidate.level] &&
		(not_before <= pick->now || not_before > pick->now + PAWS_BACKOFF_MAX_MS * INT64CONST(1000));
}

static void
read_subject(const PawsPick *pick, const bool *paused, int64 subject_no, Subject *subject)
{
	PawsKey key = {.column = 1, .strategy = BTEqualStrategyNumber, .value = Int64GetDatum(subject_no)};
	PawsScan scan;

	subject->count = 0;
	paws_scan_begin(&scan, &paws_queue_operations, OPERATION_BY_DOCUMENT, pick->snapshot, &key, 1);
	while (subject->count < ROWS_MAX && paws_scan_next(&scan))
		read_row(&scan, pick, paused, &subject->rows[subject->count++]);
	subject->whole = subject->count < ROWS_MAX;
	paws_scan_end(&scan);
}

static int
end_of_document(const Subject *subject, int first)
{
	int end = first + 1;

	while (end < subject->count &&
		   memcmp(&subject->rows[end].doc_id, &subject->rows[first].doc_id, UUID_LEN) == 0)
		end++;
	return end;
}

/* Those that can be served together. */
static int
leave_waiting(Subject *subject)
{
	int left = 0;
	int end;

	for (int first = 0; first < subject->count; first = end)
	{
		bool ready = true;

		end = end_of_document(subject, first);
		for (int i = first; i < end; i++)
			ready = ready && subject->rows[i].ready;
		if (!ready || (end == subject->count && !subject->whole))
			continue;
		memmove(&subject->rows[left], &subject->rows[first], (end - first) * sizeof(Found));
		left += end - first;
	}
	return left;
}

static int
by_arrival(const void *a, const void *b)
{
	const PawsCandidate *x = &((const Found *) a)->candidate;
	const PawsCandidate *y = &((const Found *) b)->candidate;

	return (x->id > y->id) - (x->id < y->id);
}

int
paws_pick_raised(int slot, const PawsPick *pick, const PawsRaisedLook *looks, int nlooks, const bool *paused,
				 int max, PawsCandidates *candidates)
{
	int before = candidates->count;
	Subject *subject;

	if (nlooks == 0 || paused[PAWS_RAISED_LEVEL])
		return 0;
	subject = palloc(sizeof(Subject));
	for (int i = 0; i < nlooks && candidates->count - before < max; i++)
	{
		if (paws_avoided(looks[i].subject_no))
			continue;
		read_subject(pick, paused, looks[i].subject_no, subject);
		if (subject->count == 0)
			paws_raise_idle(slot, PAWS_RAISED_OPERATIONS, &looks[i]);
		subject->count = leave_waiting(subject);
		qsort(subject->rows, subject->count, sizeof(Found), by_arrival);
		for (int j = 0; j < subject->count && candidates->count - before < max; j++)
			candidates->rows[candidates->count++] = subject->rows[j].candidate;
	}
	pfree(subject);
	return candidates->count - before;
}
