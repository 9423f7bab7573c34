/*
 * guard/codes.h - the closed vocabularies of the whole engine.
 *
 * Every code that is stored in a table is the number of one of these enums, so a number once given
 * is never given again. A switch over tier, class, level or lane has no default branch:
 * -Werror=switch-enum makes a new value show every place that must learn of it.
 */
#ifndef PAWS_GUARD_CODES_H
#define PAWS_GUARD_CODES_H

#include "postgres.h"

typedef enum PawsTier
{
	PAWS_TIER_TRIAL = 1,
	PAWS_TIER_BASIC = 2,
	PAWS_TIER_PREMIUM = 3,
	PAWS_TIER_GRACE_PERIOD = 4
} PawsTier;

#define PAWS_TIER_FIRST PAWS_TIER_TRIAL
#define PAWS_TIER_LAST  PAWS_TIER_GRACE_PERIOD
#define PAWS_TIER_NONE  ((PawsTier) 0) /* where none is looked up: in the crisis lane */

typedef enum PawsClass
{
	PAWS_CLASS_EMERGENCY = 1,
	PAWS_CLASS_SAFETY = 2,
	PAWS_CLASS_CONTROL = 3,
	PAWS_CLASS_SESSION = 4,
	PAWS_CLASS_INTERACTIVE = 5,
	PAWS_CLASS_STANDARD = 6,
	PAWS_CLASS_BULK = 7,
	PAWS_CLASS_BACKGROUND = 8
} PawsClass;

#define PAWS_CLASS_FIRST PAWS_CLASS_EMERGENCY
#define PAWS_CLASS_LAST  PAWS_CLASS_BACKGROUND

/* Levels are plain numbers, 10 is most urgent; 9 and 10 belong to the crisis lane. */
#define PAWS_LEVEL_MIN          1
#define PAWS_LEVEL_MAX          10
#define PAWS_LEVEL_ORDINARY_MAX 8

typedef enum PawsLane
{
	PAWS_LANE_CRISIS = 1,
	PAWS_LANE_ORDINARY = 2
} PawsLane;

/* The answer of a push, and (applied … superseded, rejected) the final outcome in a receipt. */
typedef enum PawsOutcome
{
	PAWS_OUTCOME_ACCEPTED = 1,
	PAWS_OUTCOME_DUPLICATE = 2,
	PAWS_OUTCOME_LIMITED = 3,
	PAWS_OUTCOME_REJECTED = 4,
	PAWS_OUTCOME_APPLIED = 5,
	PAWS_OUTCOME_CONFLICT = 6,
	PAWS_OUTCOME_SUPERSEDED = 7
} PawsOutcome;

/* Why an operation was limited, rejected, or kept as a branch. */
typedef enum PawsReason
{
	PAWS_REASON_NONE = 0,
	PAWS_REASON_MALFORMED = 1, /* not an object, a key missing, of the wrong kind, or unknown */
	PAWS_REASON_UNKNOWN_COLLECTION = 2,
	PAWS_REASON_TOO_LARGE = 3,       /* payload above the ceiling of tier or lane */
	PAWS_REASON_FUTURE_REVISION = 4, /* base_revision above what the document ever had */
	PAWS_REASON_STALE_REVISION = 5,  /* base_revision below the head; kept as a branch */
	PAWS_REASON_APPEND_ONLY = 6,     /* a change to a document of an append collection */
	PAWS_REASON_DEVICE_REVOKED = 7,
	PAWS_REASON_CRISIS_ONLY = 8,        /* device beyond the tier's device limit */
	PAWS_REASON_RATE = 9,               /* operations or bytes per second of tier or class */
	PAWS_REASON_BUSY = 10,              /* ordinary tables did not answer in time */
	PAWS_REASON_DUPLICATE_IN_CALL = 11, /* the same op_id twice in one call */
	PAWS_REASON_FAILED = 12,            /* applying it failed again and again */
	PAWS_REASON_WRONG_COLLECTION = 13,  /* the document lives in another collection */
	PAWS_REASON_NOT_CRISIS = 14,        /* an ordinary collection, in push_crisis */
	PAWS_REASON_KEYS_UNAVAILABLE = 15,  /* the keys that would seal it are not loaded */
	PAWS_REASON_BUDGET = 16             /* the byte budget of the server is used up */
} PawsReason;

#define PAWS_REASON_LAST PAWS_REASON_BUDGET

typedef enum PawsConflictPolicy
{
	PAWS_CONFLICT_SERVER_ORDER = 1,
	PAWS_CONFLICT_BRANCH = 2,
	PAWS_CONFLICT_APPEND = 3
} PawsConflictPolicy;

/* Where a job of the application's own workers stands. */
typedef enum PawsJobState
{
	PAWS_JOB_SCHEDULED = 1, /* its time has not come */
	PAWS_JOB_AVAILABLE = 2,
	PAWS_JOB_RUNNING = 3, /* a worker has a lease on it */
	PAWS_JOB_COMPLETED = 4,
	PAWS_JOB_CANCELLED = 5,
	PAWS_JOB_EXPIRED = 6,
	PAWS_JOB_DEAD = 7 /* among the dead letters */
} PawsJobState;

#define PAWS_JOB_STATE_LAST PAWS_JOB_DEAD

/* The answer to a call about a job. */
typedef enum PawsJobOutcome
{
	PAWS_JOB_WAS_SUBMITTED = 1,
	PAWS_JOB_WAS_DUPLICATE = 2,
	PAWS_JOB_WAS_LIMITED = 3,
	PAWS_JOB_WAS_REJECTED = 4,
	PAWS_JOB_WAS_COMPLETED = 5,
	PAWS_JOB_WAS_RETRIED = 6,
	PAWS_JOB_WAS_DEAD = 7,
	PAWS_JOB_WAS_RELEASED = 8,
	PAWS_JOB_WAS_SNOOZED = 9,
	PAWS_JOB_WAS_CANCELLED = 10,
	PAWS_JOB_WAS_EXTENDED = 11,
	PAWS_JOB_WAS_LOST = 12, /* the lease is somebody else's by now, or nobody's */
	PAWS_JOB_WAS_NOT_FOUND = 13
} PawsJobOutcome;

#define PAWS_JOB_OUTCOME_LAST PAWS_JOB_WAS_NOT_FOUND

/* Why an attempt at a job failed; the last two are the engine's own. */
typedef enum PawsJobReason
{
	PAWS_JOB_FAILED = 1,
	PAWS_JOB_INVALID = 2,    /* the payload is not what the worker expects */
	PAWS_JOB_DEPENDENCY = 3, /* something that the worker needs does not answer */
	PAWS_JOB_TIMED_OUT = 4,
	PAWS_JOB_REFUSED = 5, /* another system said no */
	PAWS_JOB_LEASE_EXPIRED = 6,
	PAWS_JOB_UNREADABLE = 7 /* the envelope does not open */
} PawsJobReason;

#define PAWS_JOB_REASON_LAST PAWS_JOB_UNREADABLE

/* How payloads of a collection are sealed. */
typedef enum PawsSealingPolicy
{
	PAWS_SEALING_STANDARD = 1, /* XChaCha20-Poly1305 */
	PAWS_SEALING_AES = 2,      /* AES-256-GCM */
	PAWS_SEALING_LAYERED = 3,  /* both, under keys of two custodians */
	PAWS_SEALING_CLIENT = 4    /* sealed by the client already: opaque bytes, under one layer of ours */
} PawsSealingPolicy;

/* What an app offers in a tier; bit code - 1 of paws_queue.tier_policy.features. */
typedef enum PawsFeature
{
	PAWS_FEATURE_ATTACHMENTS = 1,
	PAWS_FEATURE_HISTORY_EXPORT = 2,
	PAWS_FEATURE_INSIGHTS = 3,
	PAWS_FEATURE_SHARING = 4,
	PAWS_FEATURE_PRIORITY_SUPPORT = 5
} PawsFeature;

typedef enum PawsPlatform
{
	PAWS_PLATFORM_IOS = 1,
	PAWS_PLATFORM_ANDROID = 2,
	PAWS_PLATFORM_WEB = 3,
	PAWS_PLATFORM_DESKTOP = 4,
	PAWS_PLATFORM_WEARABLE = 5,
	PAWS_PLATFORM_SERVER = 6
} PawsPlatform;

/* What raised a crisis signal. */
typedef enum PawsSource
{
	PAWS_SOURCE_PHQ9_ITEM9 = 1,
	PAWS_SOURCE_SELF_REPORT = 2,
	PAWS_SOURCE_CLINICIAN = 3,
	PAWS_SOURCE_HOTLINE_CONTACT = 4,
	PAWS_SOURCE_SCREENING = 5,       /* another questionnaire than the PHQ-9 */
	PAWS_SOURCE_TRUSTED_CONTACT = 6, /* somebody whom the person named */
	PAWS_SOURCE_APP_DETECTION = 7    /* the app's own, on the device */
} PawsSource;

#define PAWS_SOURCE_LAST PAWS_SOURCE_APP_DETECTION

/* How urgent a crisis signal is; the order counts. */
typedef enum PawsSeverity
{
	PAWS_SEVERITY_LOW = 1,
	PAWS_SEVERITY_MODERATE = 2,
	PAWS_SEVERITY_HIGH = 3,
	PAWS_SEVERITY_IMMINENT = 4
} PawsSeverity;

#define PAWS_SEVERITY_LAST PAWS_SEVERITY_IMMINENT

/* How a crisis resource is reached. */
typedef enum PawsChannel
{
	PAWS_CHANNEL_CALL = 1,
	PAWS_CHANNEL_TEXT = 2,
	PAWS_CHANNEL_CHAT = 3,
	PAWS_CHANNEL_WEB = 4
} PawsChannel;

/* The logs of audit rows (guard/audit_row.h). */
typedef enum PawsAuditLog
{
	PAWS_AUDIT_LOG_CARE = 1,
	PAWS_AUDIT_LOG_BILLING = 2,
	PAWS_AUDIT_LOG_CRISIS = 3
} PawsAuditLog;

#define PAWS_AUDIT_LOG_LAST PAWS_AUDIT_LOG_CRISIS

/* What an audit row says was done; in brackets what its `result` and its `number` are. */
typedef enum PawsAuditOperation
{
	PAWS_AUDIT_APPLIED = 1,    /* a change, in its caller's transaction (outcome; revision) */
	PAWS_AUDIT_QUEUED = 2,     /* a change that waits for its subject's counter (outcome; base revision) */
	PAWS_AUDIT_DRAINED = 3,    /* a change that waited was applied (outcome; revision) */
	PAWS_AUDIT_RAISED = 4,     /* a signal (severity; level) */
	PAWS_AUDIT_WORSENED = 5,   /* one that was open already (severity; level) */
	PAWS_AUDIT_RESOLVED = 6,   /* by somebody (severity; 0) */
	PAWS_AUDIT_LAPSED = 7,     /* its time was over (severity; 0) */
	PAWS_AUDIT_ESCALATED = 8,  /* an item that nobody claimed in time, or that failed too often (0; level) */
	PAWS_AUDIT_SUBMITTED = 9,  /* an item for responders (outcome; level) */
	PAWS_AUDIT_FINISHED = 10,  /* an item was completed or cancelled (outcome; attempts) */
	PAWS_AUDIT_FAILED = 11,    /* an attempt at an item (reason; attempts) */
	PAWS_AUDIT_FORGOTTEN = 12, /* a person (0; devices) */
	PAWS_AUDIT_GAP = 13        /* rows that could not be written (0; how many) */
} PawsAuditOperation;

#define PAWS_AUDIT_OPERATION_LAST PAWS_AUDIT_GAP

/* What it was done to; what its digests are over says the code that writes the row. */
typedef enum PawsAuditObject
{
	PAWS_AUDIT_DOCUMENT = 1,
	PAWS_AUDIT_SIGNAL = 2,
	PAWS_AUDIT_ITEM = 3,
	PAWS_AUDIT_SUBJECT = 4,
	PAWS_AUDIT_ROWS = 5 /* audit rows themselves */
} PawsAuditObject;

#define PAWS_AUDIT_OBJECT_LAST PAWS_AUDIT_ROWS

/* The lane that serves a class. */
extern PawsLane paws_class_lane(PawsClass klass);

/* Names as SQL shows them; static strings. A number outside the vocabulary raises XX001. */
extern const char *paws_tier_name(PawsTier tier);
extern const char *paws_class_name(PawsClass klass);
extern const char *paws_lane_name(PawsLane lane);
extern const char *paws_outcome_name(PawsOutcome outcome);
extern const char *paws_reason_name(PawsReason reason); /* NULL for PAWS_REASON_NONE */
extern const char *paws_conflict_name(PawsConflictPolicy policy);
extern const char *paws_sealing_name(PawsSealingPolicy policy);
extern const char *paws_platform_name(PawsPlatform platform);
extern const char *paws_channel_name(PawsChannel channel);
extern const char *paws_source_name(PawsSource source);
extern const char *paws_severity_name(PawsSeverity severity);
extern const char *paws_level_name(int level);
extern const char *paws_job_state_name(PawsJobState state);
extern const char *paws_job_outcome_name(PawsJobOutcome outcome);
extern const char *paws_job_reason_name(PawsJobReason reason); /* NULL for 0 */
extern const char *paws_audit_operation_name(PawsAuditOperation operation);
extern const char *paws_audit_object_name(PawsAuditObject object);

/* The way back: 0 if the name is none of the vocabulary. */
extern int paws_tier_code(const char *name);
extern int paws_class_code(const char *name);
extern int paws_conflict_code(const char *name);
extern int paws_sealing_code(const char *name);
extern int paws_platform_code(const char *name);
extern int paws_source_code(const char *name);
extern int paws_severity_code(const char *name);
extern int paws_job_reason_code(const char *name);
extern int paws_level_code(const char *name); /* takes a name or a number from 1 to 10 */

/*
 * Between a value of one of our SQL enum types and its C code. The label is the name above; the oids of the
 * labels are remembered per type oid, so a re-created extension is noticed. enum_code returns the code
 * (errors XX001 if the label is unknown to this library), enum_datum the other way for result type `type`.
 */
extern PawsTier paws_tier_from_datum(Datum value);
extern PawsClass paws_class_from_datum(Datum value);
extern PawsJobReason paws_job_reason_from_datum(Datum value);
extern PawsSource paws_source_from_datum(Datum value);
extern PawsSeverity paws_severity_from_datum(Datum value);
extern Datum paws_enum_datum(Oid type, const char *label);

#endif
