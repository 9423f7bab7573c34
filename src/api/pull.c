/*
 * api/pull.c - pull and pull_wait: the crisis lane first, then the ordinary one as far as the allowance goes.
 */
#include "postgres.h"

#include "api/pull.h"
#include "base/guarded.h"
#include "base/spi.h"
#include "care/care.h"
#include "guard/mint.h"
#include "queue/admission.h"
#include "vault/vault.h"

PG_FUNCTION_INFO_V1(paws_pull);
PG_FUNCTION_INFO_V1(paws_pull_wait);

typedef struct BothLanes
{
	PawsPull pull; /* first */
	PawsTier tier; /* looked up when the first payload is to be told; before that PAWS_TIER_NONE */
	PawsAsk ask;   /* the payload that was asked for last */
	bool asked;    /* for the row that comes next */
} BothLanes;

static void
forget_ask(BothLanes *both)
{
	both->ask = (PawsAsk){0};
	both->asked = false;
	both->pull.retry_after = 0;
}

/* Whether a payload of the ordinary lane may be told; the page ends before one that may not. */
static bool
may_tell(void *context, const PawsFeedEntry *entry, int64 bytes)
{
	BothLanes *both = context;
	PawsPull *pull = &both->pull;
	const PawsCollection *collection = paws_registry_collection_no(entry->collection);

	if (both->tier == PAWS_TIER_NONE)
		both->tier = paws_care_tier(pull->device.subject_no);
	both->ask = (PawsAsk){.klass = collection ? collection->klass : PAWS_CLASS_STANDARD, .bytes = bytes};
	paws_admission_pull(pull->slot, pull->device.subject_no, both->tier, &both->ask);
	both->asked = both->ask.admitted;
	pull->retry_after = both->ask.retry_after;
	return both->asked;
}

/* What a row really moved, for the allowance that was asked. */
static void
was_told(PawsPull *pull, int64 bytes)
{
	BothLanes *both = (BothLanes *) pull;

	if (both->asked)
		paws_admission_correct(pull->slot, pull->device.subject_no, both->tier, &both->ask, bytes);
	both->asked = false;
}

static void
read_ordinary(void *arg)
{
	PawsPull *pull = arg;

	pull->lane = PAWS_LANE_ORDINARY;
	pull->budget.admit = may_tell;
	pull->told = was_told;
	paws_page_read(&paws_care_store, &pull->device, &pull->cursor.ordinary, &pull->budget, paws_pull_put_row,
				   pull);
}

static bool
is_lock_timeout(int sqlstate)
{
	return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE;
}

/* What the crisis lane has to say is delivered whatever ails the ordinary one; the next pull tells of that.
 */
static bool
forgive_all(int sqlstate)
{
	return true;
}

/*
 * The ordinary lane's tables may be locked for long by an operator's command; then the page is what the
 * crisis lane has, and the next pull looks again.
 */
static bool
read_page(PawsPull *pull)
{
	BothLanes *both = (BothLanes *) pull;
	PawsPageBudget *budget = &pull->budget;
	PawsLaneCursor before = pull->cursor.ordinary;

	forget_ask(both);
	paws_spi_begin();
	paws_pull_read_crisis_lane(pull);
	if (!pull->device.crisis_only && (!budget->any || (budget->changes > 0 && budget->bytes > 0)) &&
		!paws_run_guarded(read_ordinary, pull, budget->any ? forgive_all : is_lock_timeout))
	{
		pull->cursor.ordinary = before; /* rows that are out carry cursors of their own */
		forget_ask(both);
	}
	paws_spi_end();
	return budget->any;
}

static void
put_limited(BothLanes *both)
{
	if (both->pull.retry_after > 0)
		paws_pull_put_limited(&both->pull, both->ask.reason);
}

Datum
paws_pull(PG_FUNCTION_ARGS)
{
	const PawsToken *token = paws_token_argument(fcinfo, 0, PAWS_TOKEN_DEVICE);
	BothLanes both = {.tier = PAWS_TIER_NONE};

	paws_vault_require(PAWS_ROOT_CARE);
	paws_pull_begin(&both.pull, fcinfo, token, 2);
	(void) read_page(&both.pull);
	put_limited(&both);
	return (Datum) 0;
}

Datum
paws_pull_wait(PG_FUNCTION_ARGS)
{
	const PawsToken *token = paws_token_argument(fcinfo, 0, PAWS_TOKEN_DEVICE);
	BothLanes both = {.tier = PAWS_TIER_NONE};

	paws_vault_require(PAWS_ROOT_CARE);
	paws_pull_wait_and_read(&both.pull, fcinfo, token, 2, read_page);
	put_limited(&both);
	return (Datum) 0;
}
