/*
 * guard/codes.c - names and numbers of the closed vocabularies.
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"

#include "guard/codes.h"

typedef struct Vocabulary
{
	const char *kind;         /* as paws_sync.vocabulary() calls it */
	const char *const *names; /* by code; code 0 has no name */
	int last;
} Vocabulary;

static const char *const tier_names[] = {
	[PAWS_TIER_TRIAL] = "trial",
	[PAWS_TIER_BASIC] = "basic",
	[PAWS_TIER_PREMIUM] = "premium",
	[PAWS_TIER_GRACE_PERIOD] = "grace_period",
};

static const char *const class_names[] = {
	[PAWS_CLASS_EMERGENCY] = "emergency",
	[PAWS_CLASS_SAFETY] = "safety",
	[PAWS_CLASS_CONTROL] = "control",
	[PAWS_CLASS_SESSION] = "session",
	[PAWS_CLASS_INTERACTIVE] = "interactive",
	[PAWS_CLASS_STANDARD] = "standard",
	[PAWS_CLASS_BULK] = "bulk",
	[PAWS_CLASS_BACKGROUND] = "background",
};

static const char *const lane_names[] = {
	[PAWS_LANE_CRISIS] = "crisis",
	[PAWS_LANE_ORDINARY] = "ordinary",
};

static const char *const outcome_names[] = {
	[PAWS_OUTCOME_ACCEPTED] = "accepted",     [PAWS_OUTCOME_DUPLICATE] = "duplicate",
	[PAWS_OUTCOME_LIMITED] = "limited",       [PAWS_OUTCOME_REJECTED] = "rejected",
	[PAWS_OUTCOME_APPLIED] = "applied",       [PAWS_OUTCOME_CONFLICT] = "conflict",
	[PAWS_OUTCOME_SUPERSEDED] = "superseded",
};

static const char *const reason_names[] = {
	[PAWS_REASON_MALFORMED] = "malformed",
	[PAWS_REASON_UNKNOWN_COLLECTION] = "unknown_collection",
	[PAWS_REASON_TOO_LARGE] = "too_large",
	[PAWS_REASON_FUTURE_REVISION] = "future_revision",
	[PAWS_REASON_STALE_REVISION] = "stale_revision",
	[PAWS_REASON_APPEND_ONLY] = "append_only",
	[PAWS_REASON_DEVICE_REVOKED] = "device_revoked",
	[PAWS_REASON_CRISIS_ONLY] = "crisis_only",
	[PAWS_REASON_RATE] = "rate",
	[PAWS_REASON_BUSY] = "busy",
	[PAWS_REASON_DUPLICATE_IN_CALL] = "duplicate_in_call",
	[PAWS_REASON_FAILED] = "failed",
	[PAWS_REASON_WRONG_COLLECTION] = "wrong_collection",
	[PAWS_REASON_NOT_CRISIS] = "not_crisis",
	[PAWS_REASON_KEYS_UNAVAILABLE] = "keys_unavailable",
	[PAWS_REASON_BUDGET] = "budget",
};

static const char *const conflict_names[] = {
	[PAWS_CONFLICT_SERVER_ORDER] = "server_order",
	[PAWS_CONFLICT_BRANCH] = "branch",
	[PAWS_CONFLICT_APPEND] = "append",
};

static const char *const sealing_names[] = {
	[PAWS_SEALING_STANDARD] = "standard",
	[PAWS_SEALING_AES] = "aes",
	[PAWS_SEALING_LAYERED] = "layered",
	[PAWS_SEALING_CLIENT] = "client",
};

/* By the codec byte inside an envelope; code 0, none, has no entry in the vocabulary. */
static const char *const compression_names[] = {
	[1] = "lz4",
	[2] = "zstd",
};

static const char *const feature_names[] = {
	[PAWS_FEATURE_ATTACHMENTS] = "attachments",
	[PAWS_FEATURE_HISTORY_EXPORT] = "history_export",
	[PAWS_FEATURE_INSIGHTS] = "insights",
	[PAWS_FEATURE_SHARING] = "sharing",
	[PAWS_FEATURE_PRIORITY_SUPPORT] = "priority_support",
};

static const char *const platform_names[] = {
	[PAWS_PLATFORM_IOS] = "ios",           [PAWS_PLATFORM_ANDROID] = "android",
	[PAWS_PLATFORM_WEB] = "web",           [PAWS_PLATFORM_DESKTOP] = "desktop",
	[PAWS_PLATFORM_WEARABLE] = "wearable", [PAWS_PLATFORM_SERVER] = "server",
};

static const char *const source_names[] = {
	[PAWS_SOURCE_PHQ9_ITEM9] = "phq9_item9",       [PAWS_SOURCE_SELF_REPORT] = "self_report",
	[PAWS_SOURCE_CLINICIAN] = "clinician",         [PAWS_SOURCE_HOTLINE_CONTACT] = "hotline_contact",
	[PAWS_SOURCE_SCREENING] = "screening",         [PAWS_SOURCE_TRUSTED_CONTACT] = "trusted_contact",
	[PAWS_SOURCE_APP_DETECTION] = "app_detection",
};

static const char *const severity_names[] = {
	[PAWS_SEVERITY_LOW] = "low",
	[PAWS_SEVERITY_MODERATE] = "moderate",
	[PAWS_SEVERITY_HIGH] = "high",
	[PAWS_SEVERITY_IMMINENT] = "imminent",
};

static const char *const channel_names[] = {
	[PAWS_CHANNEL_CALL] = "call",
	[PAWS_CHANNEL_TEXT] = "text",
	[PAWS_CHANNEL_CHAT] = "chat",
	[PAWS_CHANNEL_WEB] = "web",
};

static const char *const job_state_names[] = {
	[PAWS_JOB_SCHEDULED] = "scheduled", [PAWS_JOB_AVAILABLE] = "available", [PAWS_JOB_RUNNING] = "running",
	[PAWS_JOB_COMPLETED] = "completed", [PAWS_JOB_CANCELLED] = "cancelled", [PAWS_JOB_EXPIRED] = "expired",
	[PAWS_JOB_DEAD] = "dead",
};

static const char *const job_outcome_names[] = {
	[PAWS_JOB_WAS_SUBMITTED] = "submitted", [PAWS_JOB_WAS_DUPLICATE] = "duplicate",
	[PAWS_JOB_WAS_LIMITED] = "limited",     [PAWS_JOB_WAS_REJECTED] = "rejected",
	[PAWS_JOB_WAS_COMPLETED] = "completed", [PAWS_JOB_WAS_RETRIED] = "retried",
	[PAWS_JOB_WAS_DEAD] = "dead",           [PAWS_JOB_WAS_RELEASED] = "released",
	[PAWS_JOB_WAS_SNOOZED] = "snoozed",     [PAWS_JOB_WAS_CANCELLED] = "cancelled",
	[PAWS_JOB_WAS_EXTENDED] = "extended",   [PAWS_JOB_WAS_LOST] = "lost",
	[PAWS_JOB_WAS_NOT_FOUND] = "not_found",
};

static const char *const job_reason_names[] = {
	[PAWS_JOB_FAILED] = "failed",         [PAWS_JOB_INVALID] = "invalid",
	[PAWS_JOB_DEPENDENCY] = "dependency", [PAWS_JOB_TIMED_OUT] = "timed_out",
	[PAWS_JOB_REFUSED] = "refused",       [PAWS_JOB_LEASE_EXPIRED] = "lease_expired",
	[PAWS_JOB_UNREADABLE] = "unreadable",
};

static const char *const audit_operation_names[] = {
	[PAWS_AUDIT_APPLIED] = "applied",
	[PAWS_AUDIT_QUEUED] = "queued",
	[PAWS_AUDIT_DRAINED] = "drained",
	[PAWS_AUDIT_RAISED] = "raised",
	[PAWS_AUDIT_WORSENED] = "worsened",
	[PAWS_AUDIT_RESOLVED] = "resolved",
	[PAWS_AUDIT_LAPSED] = "lapsed",
	[PAWS_AUDIT_ESCALATED] = "escalated",
	[PAWS_AUDIT_SUBMITTED] = "submitted",
	[PAWS_AUDIT_FINISHED] = "finished",
	[PAWS_AUDIT_FAILED] = "failed",
	[PAWS_AUDIT_FORGOTTEN] = "forgotten",
	[PAWS_AUDIT_GAP] = "gap",
};

static const char *const audit_object_names[] = {
	[PAWS_AUDIT_DOCUMENT] = "document", [PAWS_AUDIT_SIGNAL] = "signal",   [PAWS_AUDIT_ITEM] = "item",
	[PAWS_AUDIT_SUBJECT] = "subject",   [PAWS_AUDIT_ROWS] = "audit_rows",
};

static const char *const level_names[] = {
	[1] = "background",
	[2] = "bulk",
	[3] = "reduced",
	[4] = "standard",
	[5] = "standard_raised",
	[6] = "interactive",
	[7] = "interactive_raised",
	[8] = "control",
	[9] = "crisis_data",
	[10] = "crisis_emergency",
};

#define VOCABULARY(kind, names)                                                                              \
	{                                                                                                        \
		kind, names, lengthof(names) - 1                                                                     \
	}

static const Vocabulary tiers = VOCABULARY("tier", tier_names);
static const Vocabulary classes = VOCABULARY("class", class_names);
static const Vocabulary lanes = VOCABULARY("lane", lane_names);
static const Vocabulary outcomes = VOCABULARY("outcome", outcome_names);
static const Vocabulary reasons = VOCABULARY("reason", reason_names);
static const Vocabulary conflicts = VOCABULARY("conflict_policy", conflict_names);
static const Vocabulary sealings = VOCABULARY("sealing", sealing_names);
static const Vocabulary compressions = VOCABULARY("compression", compression_names);
static const Vocabulary features = VOCABULARY("feature", feature_names);
static const Vocabulary platforms = VOCABULARY("platform", platform_names);
static const Vocabulary sources = VOCABULARY("source", source_names);
static const Vocabulary severities = VOCABULARY("severity", severity_names);
static const Vocabulary channels = VOCABULARY("channel", channel_names);
static const Vocabulary job_states = VOCABULARY("job_state", job_state_names);
static const Vocabulary job_outcomes = VOCABULARY("job_outcome", job_outcome_names);
static const Vocabulary job_reasons = VOCABULARY("job_reason", job_reason_names);
static const Vocabulary audit_operations = VOCABULARY("audit_operation", audit_operation_names);
static const Vocabulary audit_objects = VOCABULARY("audit_object", audit_object_names);
static const Vocabulary levels = VOCABULARY("level", level_names);

StaticAssertDecl(lengthof(tier_names) == PAWS_TIER_LAST + 1, "every tier has a name");
StaticAssertDecl(lengthof(class_names) == PAWS_CLASS_LAST + 1, "every class has a name");
StaticAssertDecl(lengthof(reason_names) == PAWS_REASON_LAST + 1, "every reason has a name");
StaticAssertDecl(lengthof(job_state_names) == PAWS_JOB_STATE_LAST + 1, "every state of a job has a name");
StaticAssertDecl(lengthof(job_outcome_names) == PAWS_JOB_OUTCOME_LAST + 1,
				 "every outcome of a job has a name");
StaticAssertDecl(lengthof(job_reason_names) == PAWS_JOB_REASON_LAST + 1, "every reason of a job has a name");
StaticAssertDecl(lengthof(source_names) == PAWS_SOURCE_LAST + 1, "every source has a name");
StaticAssertDecl(lengthof(severity_names) == PAWS_SEVERITY_LAST + 1, "every severity has a name");
StaticAssertDecl(lengthof(audit_operation_names) == PAWS_AUDIT_OPERATION_LAST + 1,
				 "every operation of an audit row has a name");
StaticAssertDecl(lengthof(audit_object_names) == PAWS_AUDIT_OBJECT_LAST + 1,
				 "every object of an audit row has a name");
StaticAssertDecl(lengthof(level_names) == PAWS_LEVEL_MAX + 1, "every level has a name");

PawsLane
paws_class_lane(PawsClass klass)
{
	switch (klass)
	{
		case PAWS_CLASS_EMERGENCY:
		case PAWS_CLASS_SAFETY:
			return PAWS_LANE_CRISIS;
		case PAWS_CLASS_CONTROL:
		case PAWS_CLASS_SESSION:
		case PAWS_CLASS_INTERACTIVE:
		case PAWS_CLASS_STANDARD:
		case PAWS_CLASS_BULK:
		case PAWS_CLASS_BACKGROUND:
			return PAWS_LANE_ORDINARY;
	}
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("unknown class code %d", (int) klass)));
	return PAWS_LANE_ORDINARY; /* keep compiler quiet */
}

static const char *
find_name(const Vocabulary *vocabulary, int code)
{
	if (code < 1 || code > vocabulary->last)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED), errmsg("unknown %s code %d", vocabulary->kind, code)));
	return vocabulary->names[code];
}

static int
find_code(const Vocabulary *vocabulary, const char *name)
{
	for (int code = 1; code <= vocabulary->last; code++)
		if (strcmp(vocabulary->names[code], name) == 0)
			return code;
	return 0;
}

const char *
paws_tier_name(PawsTier tier)
{
	return find_name(&tiers, tier);
}

const char *
paws_class_name(PawsClass klass)
{
	return find_name(&classes, klass);
}

const char *
paws_lane_name(PawsLane lane)
{
	return find_name(&lanes, lane);
}

const char *
paws_outcome_name(PawsOutcome outcome)
{
	return find_name(&outcomes, outcome);
}

const char *
paws_reason_name(PawsReason reason)
{
	return reason == PAWS_REASON_NONE ? NULL : find_name(&reasons, reason);
}

const char *
paws_conflict_name(PawsConflictPolicy policy)
{
	return find_name(&conflicts, policy);
}

const char *
paws_sealing_name(PawsSealingPolicy policy)
{
	return find_name(&sealings, policy);
}

const char *
paws_platform_name(PawsPlatform platform)
{
	return find_name(&platforms, platform);
}

const char *
paws_channel_name(PawsChannel channel)
{
	return find_name(&channels, channel);
}

const char *
paws_source_name(PawsSource source)
{
	return find_name(&sources, source);
}

const char *
paws_severity_name(PawsSeverity severity)
{
	return find_name(&severities, severity);
}

const char *
paws_job_state_name(PawsJobState state)
{
	return find_name(&job_states, state);
}

const char *
paws_job_outcome_name(PawsJobOutcome outcome)
{
	return find_name(&job_outcomes, outcome);
}

const char *
paws_job_reason_name(PawsJobReason reason)
{
	return reason == 0 ? NULL : find_name(&job_reasons, reason);
}

const char *
paws_audit_operation_name(PawsAuditOperation operation)
{
	return find_name(&audit_operations, operation);
}

const char *
paws_audit_object_name(PawsAuditObject object)
{
	return find_name(&audit_objects, object);
}

const char *
paws_level_name(int level)
{
	return find_name(&levels, level);
}

int
paws_tier_code(const char *name)
{
	return find_code(&tiers, name);
}

int
paws_class_code(const char *name)
{
	return find_code(&classes, name);
}

int
paws_conflict_code(const char *name)
{
	return find_code(&conflicts, name);
}

int
paws_sealing_code(const char *name)
{
	return find_code(&sealings, name);
}

int
paws_platform_code(const char *name)
{
	return find_code(&platforms, name);
}

int
paws_source_code(const char *name)
{
	return find_code(&sources, name);
}

int
paws_severity_code(const char *name)
{
	return find_code(&severities, name);
}

int
paws_job_reason_code(const char *name)
{
	return find_code(&job_reasons, name);
}

int
paws_level_code(const char *name)
{
	if (strcmp(name, "10") == 0)
		return 10;
	if (name[0] >= '1' && name[0] <= '9' && name[1] == '\0')
		return name[0] - '0';
	return find_code(&levels, name);
}

/* SQL paws_sync.vocabulary(): every code that a table may hold, with its name. */
PG_FUNCTION_INFO_V1(paws_vocabulary);
Datum
paws_vocabulary(PG_FUNCTION_ARGS)
{
	static const Vocabulary *const shown[] = {&platforms,     &classes,     &tiers,        &outcomes,
											  &reasons,       &conflicts,   &sources,      &channels,
											  &levels,        &sealings,    &compressions, &job_states,
											  &job_outcomes,  &job_reasons, &features,     &audit_operations,
											  &audit_objects, &severities};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (size_t i = 0; i < lengthof(shown); i++)
	{
		for (int code = 1; code <= shown[i]->last; code++)
		{
			Datum values[3];
			bool nulls[3] = {false, false, false};

			values[0] = CStringGetTextDatum(shown[i]->kind);
			values[1] = Int32GetDatum(code);
			values[2] = CStringGetTextDatum(shown[i]->names[code]);
			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		}
	}
	return (Datum) 0;
}
