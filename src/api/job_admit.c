/*
 * api/job_admit.c - who jobs are for, and whether they are taken.
 */
#include "postgres.h"

#include "api/job_admit.h"
#include "care/care.h"
#include "queue/admission.h"
#include "queue/policy.h"
#include "registry/registry.h"
#include "utils/hsearch.h"
#include "vault/vault.h"

/* What is known of a subject within one call. */
typedef struct Person
{
	PawsToken token; /* key of the hash table */
	int64 subject_no;
	PawsTier tier;
	int64 retry_after; /* once it was refused: what comes after is, too */
	PawsReason reason;
} Person;

/* Items of one person that follow one another, and are asked for at once. */
#define RUN_MAX 64

typedef struct Run
{
	Person *person;
	int count;
	int items[RUN_MAX];
} Run;

typedef struct Admission
{
	int slot;
	const PawsTopic *topic;
	int count;
	PawsSubmission *submissions;
	PawsJobItem *items;
	HTAB *people; /* only in a call with many */
	Person *last; /* that was asked for */
	Run run;
} Admission;

/* A subject that nobody registered a device of is made known here. */
static void
find_person(Person *person)
{
	person->subject_no = paws_registry_subject(&person->token);
	if (person->subject_no == 0)
	{
		paws_vault_require_root(PAWS_ROOT_CARE);
		person->subject_no = paws_registry_ensure_subject(&person->token);
	}
	paws_vault_ensure_data_key(PAWS_KEYS_CARE, person->subject_no);
	person->tier = paws_care_tier(person->subject_no);
	person->retry_after = 0;
}

static Person *
person_of(Admission *call, const PawsToken *token)
{
	static Person alone;
	Person *person;
	bool found = false;

	if (call->last != NULL && memcmp(&call->last->token, token, sizeof(*token)) == 0)
		return call->last;
	if (call->count > 1 && call->people == NULL)
	{
		HASHCTL control = {.keysize = sizeof(PawsToken),
						   .entrysize = sizeof(Person),
						   .hcxt = CurrentMemoryContext};

		call->people = hash_create("subjects of a call", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	if (call->people)
		person = hash_search(call->people, token, HASH_ENTER, &found);
	else
		person = &alone;
	if (!found)
	{
		person->token = *token;
		find_person(person);
	}
	call->last = person;
	return person;
}

void
paws_job_refuse(PawsSubmission *submission, PawsJobItem *item, PawsJobOutcome outcome, PawsReason reason)
{
	submission->outcome = outcome;
	item->reason = reason;
}

static void
answer_limited(Admission *call, int i, Person *person, const PawsAsk *ask)
{
	if (person->retry_after == 0)
	{
		person->reason = ask->reason;
		person->retry_after = Max(ask->retry_after, 1);
	}
	paws_job_refuse(&call->submissions[i], &call->items[i], PAWS_JOB_WAS_LIMITED, person->reason);
	call->items[i].retry_after = person->retry_after;
}

/* Of one subject, what comes after something that was refused is refused as well, so that it does not
 * overtake: in one run admission sees to it, since all jobs of a call are of one class. */
static void
ask_admission(Admission *call)
{
	Run *run = &call->run;
	PawsAsk asks[RUN_MAX];
	bool refused = run->count > 0 && run->person->retry_after > 0;

	for (int i = 0; i < run->count; i++)
	{
		const PawsSubmission *submission = &call->submissions[run->items[i]];

		asks[i] = (PawsAsk){.klass = submission->klass, .bytes = (int64) submission->payload_length};
		if (refused)
			paws_admission_limited(call->slot, run->person->tier, submission->klass);
	}
	if (!refused && run->count > 0)
		paws_admission_push(call->slot, run->person->subject_no, run->person->tier, asks, run->count);
	for (int i = 0; i < run->count; i++)
		if (!asks[i].admitted)
			answer_limited(call, run->items[i], run->person, &asks[i]);
	run->count = 0;
}

static void
add_to_run(Admission *call, Person *person, int i)
{
	Run *run = &call->run;

	if (run->count == RUN_MAX || (run->count > 0 && run->person != person))
		ask_admission(call);
	run->person = person;
	run->items[run->count++] = i;
}

/* Tier, level, and whether it is taken. A repeat is known, not limited, and costs nothing. A job without a
 * subject is the application's own: served like premium, and not limited. */
static void
admit(Admission *call, int i)
{
	PawsSubmission *submission = &call->submissions[i];
	PawsJobItem *item = &call->items[i];
	Person *person = item->subject ? person_of(call, item->subject) : NULL;

	submission->tier = person ? person->tier : PAWS_TIER_PREMIUM;
	submission->subject_no = person ? person->subject_no : 0;
	submission->subject = item->subject;
	submission->level = paws_policy(submission->klass, submission->tier)->level;
	if (submission->key && paws_job_known(call->slot, call->topic, submission))
		return;
	if (submission->payload_length > (Size) paws_tier_policy(submission->tier)->max_payload)
		paws_job_refuse(submission, item, PAWS_JOB_WAS_REJECTED, PAWS_REASON_TOO_LARGE);
	else if (person)
		add_to_run(call, person, i);
}

void
paws_job_admit(int slot, const PawsTopic *topic, PawsSubmission *submissions, PawsJobItem *items, int count)
{
	Admission call = {.slot = slot,
					  .topic = topic,
					  .count = count,
					  .submissions = submissions,
					  .items = items};

	for (int i = 0; i < count; i++)
		if (submissions[i].outcome == 0)
			admit(&call, i);
	ask_admission(&call);
	if (call.people != NULL)
		hash_destroy(call.people);
}
