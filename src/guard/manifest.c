/*
 * guard/manifest.c - the manifest: its entries, and the rounding of times.
 *
 * A column without an entry fails manifest.sql of the regression tests; so does an entry without a column.
 */
#include "postgres.h"

#include "guard/manifest.h"
#include "utils/timestamp.h"

#define HOUR (60 * 60)

/* relation, column, kind, clock, kept, exported, crisis; the last two are mostly false */
#define EXPORTED true

#define SUBJECT          "paws_registry.subject"
#define DEVICE           "paws_registry.device"
#define COLLECTION       "paws_registry.collection"
#define POLICY           "paws_queue.policy"
#define TIERS            "paws_queue.tier_policy"
#define OPERATION        "paws_queue.operation"
#define INFLIGHT         "paws_queue.inflight"
#define PAUSED           "paws_queue.paused_level"
#define TOPIC            "paws_queue.topic"
#define JOB              "paws_queue.job"
#define JOB_KEY          "paws_queue.job_key"
#define DEAD_LETTER      "paws_queue.dead_letter"
#define HISTORY          "paws_queue.history"
#define ENTITLED         "paws_care.entitlement"
#define KEY_JOB          "paws_vault.key_job"
#define FOREIGN          "paws_vault.foreign_epoch"
#define ERASURE          "paws_vault.erasure"
#define RESOURCE         "paws_crisis.resource"
#define CRISIS_OPERATION "paws_crisis.operation"
#define CANARY           "paws_crisis.canary"
#define CANARY_DEVICE    "paws_crisis.canary_device"
#define SIGNAL           "paws_crisis.signal"
#define ITEM             "paws_crisis.item"
#define RAISED           "paws_queue.raised"
#define CRISIS_AUDIT     "paws_crisis.audit"

/* clang-format off */
/* The tables of a store, which each lane has: schema, clock of what is done, how long its feed is kept. */
#define STORE(schema, done, feed, crisis)                                                                    \
	{schema ".counter", "subject_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_UNTIL_REPLACED, false, crisis},         \
	{schema ".counter", "position", PAWS_KIND_POSITION, 0, PAWS_KEPT_UNTIL_REPLACED, false, crisis},         \
	{schema ".counter", "expired", PAWS_KIND_POSITION, 0, PAWS_KEPT_UNTIL_REPLACED, false, crisis},          \
	{schema ".document", "subject_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_UNTIL_DELETED, false, crisis},         \
	{schema ".document", "revision", PAWS_KIND_POSITION, 0, PAWS_KEPT_UNTIL_DELETED, EXPORTED, crisis},      \
	{schema ".document", "position", PAWS_KIND_POSITION, 0, PAWS_KEPT_UNTIL_DELETED, false, crisis},         \
	{schema ".document", "base_revision", PAWS_KIND_POSITION, 0, PAWS_KEPT_UNTIL_DELETED, false, crisis},    \
	{schema ".document", "changed_at", PAWS_KIND_TIME, done, PAWS_KEPT_UNTIL_DELETED, EXPORTED, crisis},     \
	{schema ".document", "doc_id", PAWS_KIND_ID, 0, PAWS_KEPT_UNTIL_DELETED, EXPORTED, crisis},              \
	{schema ".document", "op_id", PAWS_KIND_ID, 0, PAWS_KEPT_UNTIL_DELETED, false, crisis},                  \
	{schema ".document", "collection", PAWS_KIND_NUMBER, 0, PAWS_KEPT_UNTIL_DELETED, EXPORTED, crisis},      \
	{schema ".document", "deleted", PAWS_KIND_FLAG, 0, PAWS_KEPT_UNTIL_DELETED, EXPORTED, crisis},           \
	{schema ".document", "seal", PAWS_KIND_DIGEST, 0, PAWS_KEPT_UNTIL_DELETED, false, crisis},               \
	{schema ".document", "envelope", PAWS_KIND_ENVELOPE, 0, PAWS_KEPT_UNTIL_DELETED, EXPORTED, crisis},      \
	{schema ".branch", "subject_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_FOR_GOOD, false, crisis},                \
	{schema ".branch", "position", PAWS_KIND_POSITION, 0, PAWS_KEPT_FOR_GOOD, false, crisis},                \
	{schema ".branch", "base_revision", PAWS_KIND_POSITION, 0, PAWS_KEPT_FOR_GOOD, EXPORTED, crisis},        \
	{schema ".branch", "kept_at", PAWS_KIND_TIME, done, PAWS_KEPT_FOR_GOOD, EXPORTED, crisis},               \
	{schema ".branch", "doc_id", PAWS_KIND_ID, 0, PAWS_KEPT_FOR_GOOD, EXPORTED, crisis},                     \
	{schema ".branch", "op_id", PAWS_KIND_ID, 0, PAWS_KEPT_FOR_GOOD, false, crisis},                         \
	{schema ".branch", "collection", PAWS_KIND_NUMBER, 0, PAWS_KEPT_FOR_GOOD, EXPORTED, crisis},             \
	{schema ".branch", "deleted", PAWS_KIND_FLAG, 0, PAWS_KEPT_FOR_GOOD, EXPORTED, crisis},                  \
	{schema ".branch", "envelope", PAWS_KIND_ENVELOPE, 0, PAWS_KEPT_FOR_GOOD, EXPORTED, crisis},             \
	{schema ".feed", "subject_no", PAWS_KIND_NUMBER, 0, feed, false, crisis},                                \
	{schema ".feed", "position", PAWS_KIND_POSITION, 0, feed, false, crisis},                                \
	{schema ".feed", "device_no", PAWS_KIND_NUMBER, 0, feed, false, crisis},                                 \
	{schema ".feed", "revision", PAWS_KIND_POSITION, 0, feed, EXPORTED, crisis},                             \
	{schema ".feed", "finished_at", PAWS_KIND_TIME, done, feed, EXPORTED, crisis},                           \
	{schema ".feed", "op_id", PAWS_KIND_ID, 0, feed, false, crisis},                                         \
	{schema ".feed", "doc_id", PAWS_KIND_ID, 0, feed, EXPORTED, crisis},                                     \
	{schema ".feed", "collection", PAWS_KIND_NUMBER, 0, feed, EXPORTED, crisis},                             \
	{schema ".feed", "outcome", PAWS_KIND_CODE, 0, feed, EXPORTED, crisis},                                  \
	{schema ".feed", "reason", PAWS_KIND_CODE, 0, feed, EXPORTED, crisis},                                   \
	{schema ".feed", "deleted", PAWS_KIND_FLAG, 0, feed, EXPORTED, crisis},                                  \
	{schema ".cursor_epoch", "epoch", PAWS_KIND_POSITION, 0, PAWS_KEPT_FOR_GOOD, false, crisis},             \
	{schema ".cursor_epoch", "begun_at", PAWS_KIND_TIME, PAWS_CLOCK_SLOW, PAWS_KEPT_FOR_GOOD, false, crisis}, \
	{schema ".acknowledged", "device_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_UNTIL_REPLACED, false, crisis},     \
	{schema ".acknowledged", "position", PAWS_KIND_POSITION, 0, PAWS_KEPT_UNTIL_REPLACED, false, crisis}

/* The wrapped keys of subjects, which each home of keys has. */
#define DATA_KEY(table, crisis)                                                                              \
	{table, "key_id", PAWS_KIND_ID, 0, PAWS_KEPT_FOR_GOOD, false, crisis},                                   \
	{table, "subject_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_FOR_GOOD, false, crisis},                           \
	{table, "version", PAWS_KIND_POSITION, 0, PAWS_KEPT_FOR_GOOD, false, crisis},                            \
	{table, "kek_epoch", PAWS_KIND_POSITION, 0, PAWS_KEPT_FOR_GOOD, false, crisis},                          \
	{table, "wrapped", PAWS_KIND_KEY, 0, PAWS_KEPT_FOR_GOOD, false, crisis},                                 \
	{table, "created_at", PAWS_KIND_TIME, PAWS_CLOCK_SLOW, PAWS_KEPT_FOR_GOOD, false, crisis}

/* Which keys a database was used with, which each home of keys has. */
#define ROOT_CHECK(schema, crisis)                                                                           \
	{schema ".root_check", "root", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, crisis},                    \
	{schema ".root_check", "value", PAWS_KIND_DIGEST, 0, PAWS_KEPT_FOR_GOOD, false, crisis},                 \
	{schema ".root_check", "established_at", PAWS_KIND_TIME, PAWS_CLOCK_SLOW, PAWS_KEPT_FOR_GOOD, false, crisis}

static const PawsManifestEntry entries[] = {
	{SUBJECT, "subject_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{SUBJECT, "subject", PAWS_KIND_TOKEN, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{SUBJECT, "created_at", PAWS_KIND_TIME, PAWS_CLOCK_SLOW, PAWS_KEPT_FOR_GOOD, EXPORTED, false},
	{SUBJECT, "salt", PAWS_KIND_DIGEST, 0, PAWS_KEPT_FOR_GOOD, false, false},

	{DEVICE, "device_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{DEVICE, "device", PAWS_KIND_TOKEN, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{DEVICE, "subject_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{DEVICE, "platform", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, EXPORTED, false},
	{DEVICE, "crisis_only", PAWS_KIND_FLAG, 0, PAWS_KEPT_FOR_GOOD, EXPORTED, false},
	{DEVICE, "registered_at", PAWS_KIND_TIME, PAWS_CLOCK_SLOW, PAWS_KEPT_FOR_GOOD, EXPORTED, false},
	{DEVICE, "revoked_at", PAWS_KIND_TIME, PAWS_CLOCK_SLOW, PAWS_KEPT_FOR_GOOD, EXPORTED, false},

	{COLLECTION, "collection_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{COLLECTION, "name", PAWS_KIND_NAME, 0, PAWS_KEPT_FOR_GOOD, EXPORTED, false},
	{COLLECTION, "class", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{COLLECTION, "on_conflict", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{COLLECTION, "sealing", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{COLLECTION, "compressible", PAWS_KIND_FLAG, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{COLLECTION, "defined_at", PAWS_KIND_TIME, PAWS_CLOCK_SLOW, PAWS_KEPT_FOR_GOOD, false, false},

	{POLICY, "class", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{POLICY, "tier", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{POLICY, "level", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{POLICY, "target_ms", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{POLICY, "shipped", PAWS_KIND_FLAG, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{POLICY, "ops_per_second", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{POLICY, "ops_burst", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{POLICY, "bytes_per_second", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{POLICY, "bytes_burst", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{POLICY, "pull_bytes_per_second", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{POLICY, "pull_bytes_burst", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},

	{TIERS, "tier", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TIERS, "ops_per_second", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TIERS, "ops_burst", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TIERS, "bytes_per_second", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TIERS, "bytes_burst", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TIERS, "max_payload", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TIERS, "max_devices", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TIERS, "offline_hours", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TIERS, "compression", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TIERS, "compression_level", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TIERS, "shipped", PAWS_KIND_FLAG, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TIERS, "pull_bytes_per_second", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TIERS, "pull_bytes_burst", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TIERS, "features", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, false},

	{OPERATION, "id", PAWS_KIND_POSITION, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{OPERATION, "subject_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{OPERATION, "device_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{OPERATION, "base_revision", PAWS_KIND_POSITION, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{OPERATION, "rank", PAWS_KIND_POSITION, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{OPERATION, "enqueued_at", PAWS_KIND_TIME, PAWS_CLOCK_EXACT, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{OPERATION, "due_at", PAWS_KIND_TIME, PAWS_CLOCK_EXACT, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{OPERATION, "not_before", PAWS_KIND_TIME, PAWS_CLOCK_EXACT, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{OPERATION, "op_id", PAWS_KIND_ID, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{OPERATION, "doc_id", PAWS_KIND_ID, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{OPERATION, "level", PAWS_KIND_CODE, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{OPERATION, "base_level", PAWS_KIND_CODE, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{OPERATION, "class", PAWS_KIND_CODE, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{OPERATION, "tier", PAWS_KIND_CODE, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{OPERATION, "collection", PAWS_KIND_NUMBER, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{OPERATION, "attempts", PAWS_KIND_NUMBER, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{OPERATION, "deleted", PAWS_KIND_FLAG, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{OPERATION, "envelope", PAWS_KIND_ENVELOPE, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},

	{PAUSED, "level", PAWS_KIND_CODE, 0, PAWS_KEPT_UNTIL_REPLACED, false, false},

	{INFLIGHT, "worker", PAWS_KIND_NUMBER, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{INFLIGHT, "ids", PAWS_KIND_POSITION, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{INFLIGHT, "recorded_at", PAWS_KIND_TIME, PAWS_CLOCK_EXACT, PAWS_KEPT_UNTIL_FINISHED, false, false},

	{ENTITLED, "subject_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_UNTIL_REPLACED, false, false},
	{ENTITLED, "tier", PAWS_KIND_CODE, 0, PAWS_KEPT_UNTIL_REPLACED, EXPORTED, false},
	{ENTITLED, "until", PAWS_KIND_TIME, PAWS_CLOCK_SLOW, PAWS_KEPT_UNTIL_REPLACED, EXPORTED, false},
	{ENTITLED, "changed_at", PAWS_KIND_TIME, PAWS_CLOCK_SLOW, PAWS_KEPT_UNTIL_REPLACED, EXPORTED, false},

	STORE("paws_care", PAWS_CLOCK_ORDINARY, PAWS_KEPT_OFFLINE_WINDOW, false),
	{"paws_care.acknowledged", "acknowledged_at", PAWS_KIND_TIME, PAWS_CLOCK_ORDINARY,
		PAWS_KEPT_UNTIL_REPLACED, EXPORTED, false},

	/* One call acknowledges both lanes, and this one knows no tier: it must not tell what the other hides. */
	STORE("paws_crisis", PAWS_CLOCK_CRISIS, PAWS_KEPT_FOR_GOOD, true),
	{"paws_crisis.acknowledged", "acknowledged_at", PAWS_KIND_TIME, PAWS_CLOCK_SLOW,
		PAWS_KEPT_UNTIL_REPLACED, EXPORTED, true},

	DATA_KEY("paws_vault.data_key", false),
	{"paws_vault.data_key", "purpose", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, false},
	DATA_KEY("paws_crisis.subject_key", true),
	{"paws_crisis.subject_key", "public_key", PAWS_KIND_KEY, 0, PAWS_KEPT_FOR_GOOD, false, true},
	ROOT_CHECK("paws_vault", false),
	ROOT_CHECK("paws_crisis", true),
	{CRISIS_OPERATION, "id", PAWS_KIND_POSITION, 0, PAWS_KEPT_UNTIL_FINISHED, false, true},
	{CRISIS_OPERATION, "subject_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_UNTIL_FINISHED, false, true},
	{CRISIS_OPERATION, "device_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_UNTIL_FINISHED, false, true},
	{CRISIS_OPERATION, "base_revision", PAWS_KIND_POSITION, 0, PAWS_KEPT_UNTIL_FINISHED, false, true},
	{CRISIS_OPERATION, "received_at", PAWS_KIND_TIME, PAWS_CLOCK_EXACT, PAWS_KEPT_UNTIL_FINISHED, false, true},
	{CRISIS_OPERATION, "op_id", PAWS_KIND_ID, 0, PAWS_KEPT_UNTIL_FINISHED, false, true},
	{CRISIS_OPERATION, "doc_id", PAWS_KIND_ID, 0, PAWS_KEPT_UNTIL_FINISHED, false, true},
	{CRISIS_OPERATION, "collection", PAWS_KIND_NUMBER, 0, PAWS_KEPT_UNTIL_FINISHED, false, true},
	{CRISIS_OPERATION, "mark", PAWS_KIND_CODE, 0, PAWS_KEPT_UNTIL_FINISHED, false, true},
	{CRISIS_OPERATION, "attempts", PAWS_KIND_NUMBER, 0, PAWS_KEPT_UNTIL_FINISHED, false, true},
	{CRISIS_OPERATION, "deleted", PAWS_KIND_FLAG, 0, PAWS_KEPT_UNTIL_FINISHED, false, true},
	{CRISIS_OPERATION, "seal", PAWS_KIND_DIGEST, 0, PAWS_KEPT_UNTIL_FINISHED, false, true},
	{CRISIS_OPERATION, "envelope", PAWS_KIND_ENVELOPE, 0, PAWS_KEPT_UNTIL_FINISHED, false, true},

	{SIGNAL, "signal_id", PAWS_KIND_ID, 0, PAWS_KEPT_SIGNALS, false, true},
	{SIGNAL, "subject_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_SIGNALS, false, true},
	{SIGNAL, "twin", PAWS_KIND_NUMBER, 0, PAWS_KEPT_SIGNALS, false, true},
	{SIGNAL, "raised_at", PAWS_KIND_TIME, PAWS_CLOCK_CRISIS, PAWS_KEPT_SIGNALS, EXPORTED, true},
	{SIGNAL, "expires_at", PAWS_KIND_TIME, PAWS_CLOCK_CRISIS, PAWS_KEPT_SIGNALS, EXPORTED, true},
	{SIGNAL, "ended_at", PAWS_KIND_TIME, PAWS_CLOCK_CRISIS, PAWS_KEPT_SIGNALS, EXPORTED, true},
	{SIGNAL, "source", PAWS_KIND_CODE, 0, PAWS_KEPT_SIGNALS, EXPORTED, true},
	{SIGNAL, "severity", PAWS_KIND_CODE, 0, PAWS_KEPT_SIGNALS, EXPORTED, true},
	{SIGNAL, "state", PAWS_KIND_CODE, 0, PAWS_KEPT_SIGNALS, EXPORTED, true},

	{ITEM, "id", PAWS_KIND_POSITION, 0, PAWS_KEPT_SIGNALS, false, true},
	{ITEM, "subject_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_SIGNALS, false, true},
	{ITEM, "fence", PAWS_KIND_NUMBER, 0, PAWS_KEPT_SIGNALS, false, true},
	{ITEM, "submitted_at", PAWS_KIND_TIME, PAWS_CLOCK_CRISIS, PAWS_KEPT_SIGNALS, false, true},
	{ITEM, "ended_at", PAWS_KIND_TIME, PAWS_CLOCK_CRISIS, PAWS_KEPT_SIGNALS, false, true},
	{ITEM, "available_at", PAWS_KIND_TIME, PAWS_CLOCK_CRISIS, PAWS_KEPT_UNTIL_FINISHED, false, true},
	{ITEM, "deadline", PAWS_KIND_TIME, PAWS_CLOCK_CRISIS, PAWS_KEPT_UNTIL_FINISHED, false, true},
	{ITEM, "claimed_at", PAWS_KIND_TIME, PAWS_CLOCK_CRISIS, PAWS_KEPT_UNTIL_FINISHED, false, true},
	{ITEM, "claimed_until", PAWS_KIND_TIME, PAWS_CLOCK_CRISIS, PAWS_KEPT_UNTIL_FINISHED, false, true},
	{ITEM, "escalated_at", PAWS_KIND_TIME, PAWS_CLOCK_CRISIS, PAWS_KEPT_UNTIL_FINISHED, false, true},
	{ITEM, "signal_id", PAWS_KIND_ID, 0, PAWS_KEPT_SIGNALS, false, true},
	{ITEM, "key", PAWS_KIND_DIGEST, 0, PAWS_KEPT_SIGNALS, false, true},
	{ITEM, "level", PAWS_KIND_CODE, 0, PAWS_KEPT_SIGNALS, false, true},
	{ITEM, "class", PAWS_KIND_CODE, 0, PAWS_KEPT_SIGNALS, false, true},
	{ITEM, "state", PAWS_KIND_CODE, 0, PAWS_KEPT_SIGNALS, false, true},
	{ITEM, "attempts", PAWS_KIND_NUMBER, 0, PAWS_KEPT_SIGNALS, false, true},
	{ITEM, "reason", PAWS_KIND_CODE, 0, PAWS_KEPT_SIGNALS, false, true},
	{ITEM, "topic", PAWS_KIND_NAME, 0, PAWS_KEPT_SIGNALS, false, true},
	{ITEM, "seal", PAWS_KIND_DIGEST, 0, PAWS_KEPT_UNTIL_FINISHED, false, true},
	{ITEM, "envelope", PAWS_KIND_ENVELOPE, 0, PAWS_KEPT_UNTIL_FINISHED, false, true},
	{"paws_crisis.topic", "name", PAWS_KIND_NAME, 0, PAWS_KEPT_FOR_GOOD, false, true},

	{RAISED, "subject_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_UNTIL_REPLACED, false, false},
	{RAISED, "until", PAWS_KIND_TIME, PAWS_CLOCK_CRISIS, PAWS_KEPT_UNTIL_REPLACED, false, false},
	{RAISED, "level", PAWS_KIND_CODE, 0, PAWS_KEPT_UNTIL_REPLACED, false, false},
	{CRISIS_AUDIT, "xact", PAWS_KIND_POSITION, 0, PAWS_KEPT_FOR_GOOD, false, true},
	{CRISIS_AUDIT, "chain", PAWS_KIND_NUMBER, 0, PAWS_KEPT_FOR_GOOD, false, true},
	{CRISIS_AUDIT, "number", PAWS_KIND_POSITION, 0, PAWS_KEPT_FOR_GOOD, false, true},
	{CRISIS_AUDIT, "at", PAWS_KIND_TIME, PAWS_CLOCK_CRISIS, PAWS_KEPT_FOR_GOOD, false, true},
	{CRISIS_AUDIT, "place", PAWS_KIND_POSITION, 0, PAWS_KEPT_FOR_GOOD, false, true},
	{CRISIS_AUDIT, "operation", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, true},
	{CRISIS_AUDIT, "object", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, true},
	{CRISIS_AUDIT, "class", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, true},
	{CRISIS_AUDIT, "result", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, true},
	{CRISIS_AUDIT, "keyed", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, true},
	{CRISIS_AUDIT, "actor", PAWS_KIND_DIGEST, 0, PAWS_KEPT_FOR_GOOD, false, true},
	{CRISIS_AUDIT, "subject", PAWS_KIND_DIGEST, 0, PAWS_KEPT_FOR_GOOD, false, true},
	{CRISIS_AUDIT, "before", PAWS_KIND_DIGEST, 0, PAWS_KEPT_FOR_GOOD, false, true},
	{CRISIS_AUDIT, "after", PAWS_KIND_DIGEST, 0, PAWS_KEPT_FOR_GOOD, false, true},
	{CRISIS_AUDIT, "mac", PAWS_KIND_DIGEST, 0, PAWS_KEPT_FOR_GOOD, false, true},

	{RESOURCE, "region", PAWS_KIND_NAME, 0, PAWS_KEPT_FOR_GOOD, false, true},
	{RESOURCE, "name", PAWS_KIND_NAME, 0, PAWS_KEPT_FOR_GOOD, false, true},
	{RESOURCE, "channel", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, true},
	{RESOURCE, "contact", PAWS_KIND_NAME, 0, PAWS_KEPT_FOR_GOOD, false, true},
	{RESOURCE, "set_at", PAWS_KIND_TIME, PAWS_CLOCK_SLOW, PAWS_KEPT_FOR_GOOD, false, true},

	{CANARY_DEVICE, "role", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, true},
	{CANARY_DEVICE, "device", PAWS_KIND_TOKEN, 0, PAWS_KEPT_FOR_GOOD, false, true},

	{CANARY, "hour", PAWS_KIND_TIME, PAWS_CLOCK_EXACT, PAWS_KEPT_MONTH, false, true},
	{CANARY, "measured", PAWS_KIND_NUMBER, 0, PAWS_KEPT_MONTH, false, true},
	{CANARY, "there", PAWS_KIND_NUMBER, 0, PAWS_KEPT_MONTH, false, true},
	{CANARY, "worst", PAWS_KIND_NUMBER, 0, PAWS_KEPT_MONTH, false, true},
	{CANARY, "last_at", PAWS_KIND_TIME, PAWS_CLOCK_EXACT, PAWS_KEPT_MONTH, false, true},
	{CANARY, "rounds", PAWS_KIND_NUMBER, 0, PAWS_KEPT_MONTH, false, true},
	{CANARY, "failed", PAWS_KIND_NUMBER, 0, PAWS_KEPT_MONTH, false, true},
	{CANARY, "running", PAWS_KIND_FLAG, 0, PAWS_KEPT_MONTH, false, true},

	{TOPIC, "topic_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TOPIC, "place", PAWS_KIND_NUMBER, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TOPIC, "max_attempts", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TOPIC, "in_flight_per_flow", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TOPIC, "backoff_us", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TOPIC, "max_backoff_us", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TOPIC, "lease_us", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TOPIC, "history_us", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TOPIC, "dead_letters_us", PAWS_KIND_LIMIT, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TOPIC, "defined_at", PAWS_KIND_TIME, PAWS_CLOCK_SLOW, PAWS_KEPT_FOR_GOOD, false, false},
	{TOPIC, "paused", PAWS_KIND_FLAG, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{TOPIC, "name", PAWS_KIND_NAME, 0, PAWS_KEPT_FOR_GOOD, false, false},

	{JOB, "id", PAWS_KIND_POSITION, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{JOB, "rank", PAWS_KIND_POSITION, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{JOB, "submitted_at", PAWS_KIND_TIME, PAWS_CLOCK_EXACT, PAWS_KEPT_UNTIL_FINISHED, EXPORTED, false},
	{JOB, "topic_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{JOB, "level", PAWS_KIND_CODE, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{JOB, "base_level", PAWS_KIND_CODE, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{JOB, "class", PAWS_KIND_CODE, 0, PAWS_KEPT_UNTIL_FINISHED, EXPORTED, false},
	{JOB, "tier", PAWS_KIND_CODE, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{JOB, "attempts", PAWS_KIND_NUMBER, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{JOB, "reason", PAWS_KIND_CODE, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{JOB, "available", PAWS_KIND_FLAG, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{JOB, "subject_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{JOB, "run_at", PAWS_KIND_TIME, PAWS_CLOCK_EXACT, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{JOB, "delay_us", PAWS_KIND_NUMBER, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{JOB, "expires_at", PAWS_KIND_TIME, PAWS_CLOCK_EXACT, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{JOB, "ordering_key", PAWS_KIND_DIGEST, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{JOB, "key", PAWS_KIND_DIGEST, 0, PAWS_KEPT_UNTIL_FINISHED, false, false},
	{JOB, "envelope", PAWS_KIND_ENVELOPE, 0, PAWS_KEPT_UNTIL_FINISHED, EXPORTED, false},

	{JOB_KEY, "digest", PAWS_KIND_DIGEST, 0, PAWS_KEPT_TOPIC_HISTORY, false, false},
	{JOB_KEY, "job", PAWS_KIND_POSITION, 0, PAWS_KEPT_TOPIC_HISTORY, false, false},
	{JOB_KEY, "until", PAWS_KIND_TIME, PAWS_CLOCK_ORDINARY, PAWS_KEPT_TOPIC_HISTORY, false, false},
	{JOB_KEY, "subject_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_TOPIC_HISTORY, false, false},
	{JOB_KEY, "topic_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_TOPIC_HISTORY, false, false},
	{JOB_KEY, "state", PAWS_KIND_CODE, 0, PAWS_KEPT_TOPIC_HISTORY, false, false},
	{JOB_KEY, "result", PAWS_KIND_ENVELOPE, 0, PAWS_KEPT_TOPIC_HISTORY, false, false},

	{DEAD_LETTER, "id", PAWS_KIND_POSITION, 0, PAWS_KEPT_DEAD_LETTERS, false, false},
	{DEAD_LETTER, "submitted_at", PAWS_KIND_TIME, PAWS_CLOCK_ORDINARY, PAWS_KEPT_DEAD_LETTERS, EXPORTED, false},
	{DEAD_LETTER, "dead_at", PAWS_KIND_TIME, PAWS_CLOCK_ORDINARY, PAWS_KEPT_DEAD_LETTERS, EXPORTED, false},
	{DEAD_LETTER, "topic_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_DEAD_LETTERS, false, false},
	{DEAD_LETTER, "base_level", PAWS_KIND_CODE, 0, PAWS_KEPT_DEAD_LETTERS, false, false},
	{DEAD_LETTER, "class", PAWS_KIND_CODE, 0, PAWS_KEPT_DEAD_LETTERS, EXPORTED, false},
	{DEAD_LETTER, "tier", PAWS_KIND_CODE, 0, PAWS_KEPT_DEAD_LETTERS, false, false},
	{DEAD_LETTER, "attempts", PAWS_KIND_NUMBER, 0, PAWS_KEPT_DEAD_LETTERS, false, false},
	{DEAD_LETTER, "reason", PAWS_KIND_CODE, 0, PAWS_KEPT_DEAD_LETTERS, EXPORTED, false},
	{DEAD_LETTER, "subject_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_DEAD_LETTERS, false, false},
	{DEAD_LETTER, "expires_at", PAWS_KIND_TIME, PAWS_CLOCK_EXACT, PAWS_KEPT_DEAD_LETTERS, false, false},
	{DEAD_LETTER, "ordering_key", PAWS_KIND_DIGEST, 0, PAWS_KEPT_DEAD_LETTERS, false, false},
	{DEAD_LETTER, "key", PAWS_KIND_DIGEST, 0, PAWS_KEPT_DEAD_LETTERS, false, false},
	{DEAD_LETTER, "envelope", PAWS_KIND_ENVELOPE, 0, PAWS_KEPT_DEAD_LETTERS, EXPORTED, false},

	{HISTORY, "job", PAWS_KIND_POSITION, 0, PAWS_KEPT_TOPIC_HISTORY, false, false},
	{HISTORY, "submitted_at", PAWS_KIND_TIME, PAWS_CLOCK_ORDINARY, PAWS_KEPT_TOPIC_HISTORY, false, false},
	{HISTORY, "ended_at", PAWS_KIND_TIME, PAWS_CLOCK_ORDINARY, PAWS_KEPT_TOPIC_HISTORY, false, false},
	{HISTORY, "topic_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_TOPIC_HISTORY, false, false},
	{HISTORY, "level", PAWS_KIND_CODE, 0, PAWS_KEPT_TOPIC_HISTORY, false, false},
	{HISTORY, "class", PAWS_KIND_CODE, 0, PAWS_KEPT_TOPIC_HISTORY, false, false},
	{HISTORY, "attempts", PAWS_KIND_NUMBER, 0, PAWS_KEPT_TOPIC_HISTORY, false, false},
	{HISTORY, "state", PAWS_KIND_CODE, 0, PAWS_KEPT_TOPIC_HISTORY, false, false},
	{HISTORY, "reason", PAWS_KIND_CODE, 0, PAWS_KEPT_TOPIC_HISTORY, false, false},

	/* nobody's times: of the engine's own work */
	{KEY_JOB, "job_id", PAWS_KIND_NUMBER, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{KEY_JOB, "kind", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{KEY_JOB, "phase", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{KEY_JOB, "home", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{KEY_JOB, "care_epoch", PAWS_KIND_POSITION, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{KEY_JOB, "crisis_epoch", PAWS_KIND_POSITION, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{KEY_JOB, "done", PAWS_KIND_NUMBER, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{KEY_JOB, "total", PAWS_KIND_NUMBER, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{KEY_JOB, "left_over", PAWS_KIND_NUMBER, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{KEY_JOB, "walk_subject", PAWS_KIND_POSITION, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{KEY_JOB, "entered", PAWS_KIND_POSITION, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{KEY_JOB, "bound", PAWS_KIND_POSITION, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{KEY_JOB, "walk_position", PAWS_KIND_POSITION, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{KEY_JOB, "walk_key", PAWS_KIND_POSITION, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{KEY_JOB, "requested_at", PAWS_KIND_TIME, PAWS_CLOCK_EXACT, PAWS_KEPT_FOR_GOOD, false, false},
	{KEY_JOB, "started_at", PAWS_KIND_TIME, PAWS_CLOCK_EXACT, PAWS_KEPT_FOR_GOOD, false, false},
	{KEY_JOB, "finished_at", PAWS_KIND_TIME, PAWS_CLOCK_EXACT, PAWS_KEPT_FOR_GOOD, false, false},

	{FOREIGN, "root", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{FOREIGN, "epoch", PAWS_KIND_POSITION, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{FOREIGN, "noted_at", PAWS_KIND_TIME, PAWS_CLOCK_EXACT, PAWS_KEPT_FOR_GOOD, false, false},

	/* a certificate tells its dates to the second */
	{ERASURE, "erasure_id", PAWS_KIND_ID, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{ERASURE, "subject_no", PAWS_KIND_NUMBER, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{ERASURE, "settling", PAWS_KIND_POSITION, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{ERASURE, "devices", PAWS_KIND_NUMBER, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{ERASURE, "logical_at", PAWS_KIND_TIME, PAWS_CLOCK_CRISIS, PAWS_KEPT_FOR_GOOD, false, false},
	{ERASURE, "destroyed_at", PAWS_KIND_TIME, PAWS_CLOCK_CRISIS, PAWS_KEPT_FOR_GOOD, false, false},
	{ERASURE, "irrecoverable_at", PAWS_KIND_TIME, PAWS_CLOCK_CRISIS, PAWS_KEPT_FOR_GOOD, false, false},
	{ERASURE, "care_epoch", PAWS_KIND_POSITION, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{ERASURE, "crisis_epoch", PAWS_KIND_POSITION, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{ERASURE, "keys", PAWS_KIND_NUMBER, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{ERASURE, "state", PAWS_KIND_CODE, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{ERASURE, "subject", PAWS_KIND_TOKEN, 0, PAWS_KEPT_FOR_GOOD, false, false},
	{ERASURE, "signature", PAWS_KIND_DIGEST, 0, PAWS_KEPT_FOR_GOOD, false, false},
};
/* clang-format on */

const PawsManifestEntry *
paws_manifest_entries(int *count)
{
	*count = lengthof(entries);
	return entries;
}

const char *
paws_kind_name(PawsKind kind)
{
	static const char *const names[] = {
		[PAWS_KIND_TOKEN] = "token",       [PAWS_KIND_ID] = "id",         [PAWS_KIND_NUMBER] = "number",
		[PAWS_KIND_POSITION] = "position", [PAWS_KIND_CODE] = "code",     [PAWS_KIND_FLAG] = "flag",
		[PAWS_KIND_LIMIT] = "limit",       [PAWS_KIND_NAME] = "name",     [PAWS_KIND_TIME] = "time",
		[PAWS_KIND_ENVELOPE] = "envelope", [PAWS_KIND_DIGEST] = "digest", [PAWS_KIND_KEY] = "key",
	};

	return names[kind];
}

const char *
paws_retention_name(PawsRetention kept)
{
	static const char *const names[] = {
		[PAWS_KEPT_UNTIL_FINISHED] = "until_finished",
		[PAWS_KEPT_TOPIC_HISTORY] = "topic_history",
		[PAWS_KEPT_DEAD_LETTERS] = "dead_letters",
		[PAWS_KEPT_OFFLINE_WINDOW] = "offline_window",
		[PAWS_KEPT_SIGNALS] = "thirty_days",
		[PAWS_KEPT_UNTIL_DELETED] = "until_deleted",
		[PAWS_KEPT_UNTIL_REPLACED] = "until_replaced",
		[PAWS_KEPT_MONTH] = "month",
		[PAWS_KEPT_FOR_GOOD] = "for_good",
	};

	return names[kept];
}

/* What carries no tier, and a tier that is none, get the coarsest. */
static int
ordinary_seconds(PawsTier tier)
{
	switch (tier)
	{
		case PAWS_TIER_TRIAL:
			return HOUR;
		case PAWS_TIER_BASIC:
			return 15 * 60;
		case PAWS_TIER_PREMIUM:
		case PAWS_TIER_GRACE_PERIOD:
			return 60;
	}
	return HOUR;
}

int64
paws_clock_resolution(PawsClock clock, PawsTier tier)
{
	switch (clock)
	{
		case PAWS_CLOCK_NONE:
		case PAWS_CLOCK_EXACT:
			return 1;
		case PAWS_CLOCK_SLOW:
			return HOUR * USECS_PER_SEC;
		case PAWS_CLOCK_ORDINARY:
			return ordinary_seconds(tier) * USECS_PER_SEC;
		case PAWS_CLOCK_CRISIS:
			return USECS_PER_SEC;
	}
	return HOUR * USECS_PER_SEC;
}

int64
paws_clock_coarsest(PawsClock clock)
{
	int64 coarsest = 1;

	for (int tier = PAWS_TIER_FIRST; tier <= PAWS_TIER_LAST; tier++)
		coarsest = Max(coarsest, paws_clock_resolution(clock, (PawsTier) tier));
	return coarsest;
}

/* Times count from the start of a day, so that a multiple of a resolution is one on every clock; there are
 * negative ones. */
TimestampTz
paws_manifest_time(PawsClock clock, PawsTier tier, TimestampTz time)
{
	int64 resolution = paws_clock_resolution(clock, tier);
	int64 rest = time % resolution;

	if (TIMESTAMP_NOT_FINITE(time))
		return time;
	if (rest < 0)
		rest += resolution;
	return time - rest;
}

TimestampTz
paws_manifest_end(PawsClock clock, PawsTier tier, TimestampTz time)
{
	TimestampTz start = paws_manifest_time(clock, tier, time);
	int64 resolution = paws_clock_resolution(clock, tier);

	if (start == time || TIMESTAMP_NOT_FINITE(time))
		return time;
	return start + resolution >= END_TIMESTAMP ? DT_NOEND : start + resolution;
}
