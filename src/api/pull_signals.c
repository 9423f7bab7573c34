/*
 * api/pull_signals.c - what every device of a person in a crisis is told first: that there is a crisis
 * signal, and the documents of a bundle.
 *
 * Whether it was told already is decided by the cursor, so that reading writes nothing: it has a digest of
 * the signals that were open. Only the last of these rows moves it, so who stores cursors row by row misses
 * none.
 */
#include "postgres.h"

#include "api/pull.h"
#include "crisis/crisis.h"
#include "crisis/signal.h"

/* The rows, each held back until it is known whether it is the last. */
typedef struct Head
{
	PawsPull *pull;
	bool holding;
	PawsSignalRow row;
} Head;

static void
let_go(Head *head)
{
	if (!head->holding)
		return;
	paws_pull_put_signal(head->pull, &head->row);
	if (head->row.payload)
		pfree(head->row.payload);
	head->holding = false;
}

static void
hold(Head *head, const PawsSignalRow *row)
{
	PawsPageBudget *budget = &head->pull->budget;

	let_go(head);
	head->row = *row;
	head->holding = true;
	budget->any = true;
	budget->changes--;
	budget->bytes -= row->payload ? VARSIZE_ANY_EXHDR(row->payload) : 0;
}

/* What does not fit any more comes at its place in the feed. */
static void
hold_document(void *context, const PawsFeedEntry *entry, bytea *payload, const char *code)
{
	Head *head = context;
	PawsSignalRow row = {.kind = "document", .entry = *entry, .code = code};

	if (head->pull->budget.changes <= 0 || head->pull->budget.bytes <= 0)
		return;
	if (payload)
	{
		row.payload = palloc(VARSIZE_ANY(payload));
		memcpy(row.payload, payload, VARSIZE_ANY(payload));
	}
	hold(head, &row);
}

static void
hold_signals(Head *head, const PawsSignal *signals, int count)
{
	for (int i = 0; i < count; i++)
	{
		PawsSignalRow row = {.kind = "signal",
							 .signal = &signals[i].id,
							 .code = paws_severity_name(signals[i].severity),
							 .at = signals[i].raised_at};

		hold(head, &row);
	}
}

static void
tell_of_end(PawsPull *pull)
{
	Head head = {.pull = pull};
	PawsSignalRow row = {.kind = "signal", .code = "ended"};

	hold(&head, &row);
	pull->cursor.signals = 0;
	let_go(&head);
}

/* Documents that are held are told of by the next page. Others that could not be read would be read no better
 * then: they come at their places in the feed, which must not wait behind them. */
static void
tell(PawsPull *pull, const PawsSignal *signals, int count, uint64 digest)
{
	Head head = {.pull = pull};
	bool held;

	hold_signals(&head, signals, count);
	(void) paws_crisis_documents(&pull->device, hold_document, &head, &held);
	if (!held)
		pull->cursor.signals = digest;
	let_go(&head);
}

void
paws_pull_read_signals(PawsPull *pull)
{
	PawsSignal signals[PAWS_SIGNALS_SHOWN];
	int count = paws_signals_open(pull->device.subject_no, signals, PAWS_SIGNALS_SHOWN);
	uint64 digest = count > 0 ? paws_signals_digest(signals, count) : 0;

	if (digest == pull->cursor.signals)
		return;
	if (count == 0)
		tell_of_end(pull);
	else
		tell(pull, signals, count, digest);
}
