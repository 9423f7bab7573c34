/*
 * care/care.c - applying and expiring in the ordinary lane.
 */
#include "postgres.h"

#include "base/settings.h"
#include "base/spi.h"
#include "base/wake.h"
#include "care/care.h"
#include "catalog/pg_type.h"
#include "queue/policy.h"
#include "registry/registry.h"
#include "utils/timestamp.h"

PawsStore paws_care_store = {.schema = "paws_care",
							 .lane = PAWS_LANE_ORDINARY,
							 .keys = PAWS_KEYS_CARE,
							 .done = PAWS_CLOCK_ORDINARY,
							 .acknowledged = PAWS_CLOCK_ORDINARY};

static PawsStatement write_entitlement = {
	.sql = "INSERT INTO paws_care.entitlement (subject_no, tier, until, changed_at) VALUES ($1, $2, $3, $4) "
		   "ON CONFLICT (subject_no) DO UPDATE SET tier = EXCLUDED.tier, until = EXCLUDED.until, "
		   "changed_at = EXCLUDED.changed_at",
	.nargs = 4,
	.types = {INT8OID, INT2OID, TIMESTAMPTZOID, TIMESTAMPTZOID},
};

void
paws_care_forget(int64 subject_no)
{
	static PawsStatement forget = {
		.sql = "DELETE FROM paws_care.entitlement WHERE subject_no OPERATOR(pg_catalog.=) $1",
		.nargs = 1,
		.types = {INT8OID},
	};
	Datum args[1] = {Int64GetDatum(subject_no)};

	paws_spi_run(&forget, args, NULL, 0);
}

void
paws_care_set_entitlement(int64 subject_no, PawsTier tier, TimestampTz until)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz end = until > now ? paws_manifest_end(PAWS_CLOCK_SLOW, tier, until)
								  : paws_manifest_time(PAWS_CLOCK_SLOW, tier, until);
	Datum args[4] = {Int64GetDatum(subject_no), Int16GetDatum(tier), TimestampTzGetDatum(end),
					 TimestampTzGetDatum(paws_manifest_time(PAWS_CLOCK_SLOW, tier, now))};

	paws_spi_run(&write_entitlement, args, end == DT_NOEND ? "  n " : "    ", 0);
}

static void
to_change(const PawsOperation *operation, PawsReason refused, PawsChange *change)
{
	const PawsCollection *collection = paws_registry_collection_no(operation->collection);

	memset(change, 0, sizeof(*change));
	change->device_no = operation->device_no;
	change->subject_no = operation->subject_no;
	change->tier = operation->tier;
	change->op_id = operation->op_id;
	change->doc_id = operation->doc_id;
	change->collection = operation->collection;
	change->on_conflict = collection ? collection->on_conflict : PAWS_CONFLICT_BRANCH;
	change->base_revision = operation->base_revision;
	change->deleted = operation->deleted;
	change->envelope = operation->envelope;
	change->refused = refused;
	change->makes = change->base_revision == 0 && !change->deleted && refused == PAWS_REASON_NONE;
}

/* Once for each subject that has something new. */
static void
wake_waiters(int slot, const PawsChange *changes, int count)
{
	for (int i = 0; i < count; i++)
	{
		bool first = !changes[i].skipped;

		for (int j = 0; first && j < i; j++)
			if (!changes[j].skipped && changes[j].subject_no == changes[i].subject_no)
				first = false;
		if (first)
			paws_wake_key_at_commit(slot, changes[i].subject_no);
	}
}

int
paws_care_apply(int slot, const PawsOperation *operations, int count, PawsReason refused,
				PawsApplied *applied)
{
	PawsChange *changes = palloc(Max(count, 1) * sizeof(PawsChange));
	int *index = palloc(Max(count, 1) * sizeof(int));
	int nchanges = 0;
	int done = 0;

	for (int i = 0; i < count; i++)
	{
		applied[i] = PAWS_APPLIED_LATER;
		if (operations[i].blocked)
			continue;
		index[nchanges] = i;
		to_change(&operations[i], refused, &changes[nchanges++]);
	}
	paws_store_apply(&paws_care_store, changes, nchanges, false);
	for (int i = 0; i < nchanges; i++)
	{
		if (changes[i].skipped)
			continue;
		applied[index[i]] = changes[i].repeated ? PAWS_APPLIED_REPEATED : PAWS_APPLIED_DONE;
		done++;
	}
	wake_waiters(slot, changes, nchanges);
	return done;
}

/* Undelivered entries are kept for as long as the subject's tier says. The times in them are rounded down, by
 * a tier that may have been another one. */
static TimestampTz
cutoff_of(int64 subject_no)
{
	const PawsTierPolicy *policy = paws_tier_policy(paws_care_tier(subject_no));

	return GetCurrentTimestamp() - (int64) policy->offline_hours * USECS_PER_HOUR -
		   paws_clock_coarsest(PAWS_CLOCK_ORDINARY);
}

bool
paws_care_expire(int64 *walk, int subjects)
{
	PawsExpiry expiries[PAWS_CARE_WALK_MAX];
	int count = paws_store_walk(&paws_care_store, *walk, expiries, subjects);

	if (count == 0)
		return true;
	for (int i = 0; i < count; i++)
		expiries[i].cutoff = cutoff_of(expiries[i].subject_no);
	/* a slice with more to drop is looked at again */
	if (!paws_store_expire(&paws_care_store, expiries, count))
		return false;
	*walk = expiries[count - 1].subject_no;
	return count < subjects;
}
