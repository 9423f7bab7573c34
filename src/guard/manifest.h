/*
 * guard/manifest.h - what is stored: every column of every table, what it holds, how fine its times are, how
 * long it is kept and whether it may leave in an export.
 *
 * A time is written through paws_manifest_time, by the clock that its column has in the manifest, so that a
 * row tells no more of when somebody did something than the tier allows. Columns of one clock agree: they
 * cannot be finer together than each alone. Sealing and the crisis lane are the same in every tier.
 */
#ifndef PAWS_GUARD_MANIFEST_H
#define PAWS_GUARD_MANIFEST_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "guard/codes.h"

/* What a column holds. */
typedef enum PawsKind
{
	PAWS_KIND_TOKEN,    /* minted by this server */
	PAWS_KIND_ID,       /* a UUID: made up by a device for its documents and operations, or random */
	PAWS_KIND_NUMBER,   /* internal, or a count; never leaves the database */
	PAWS_KIND_POSITION, /* a place in an order: of a feed, of revisions, of versions */
	PAWS_KIND_CODE,     /* of a closed vocabulary */
	PAWS_KIND_FLAG,
	PAWS_KIND_LIMIT, /* a number that an operator sets */
	PAWS_KIND_NAME,  /* that an operator defines, of a closed form */
	PAWS_KIND_TIME,
	PAWS_KIND_ENVELOPE, /* a sealed payload */
	PAWS_KIND_DIGEST,   /* a keyed hash */
	PAWS_KIND_KEY       /* sealed under a key that is not in the database */
} PawsKind;

/* How fine a time is. */
typedef enum PawsClock
{
	PAWS_CLOCK_NONE = 0, /* not a time */
	PAWS_CLOCK_EXACT,    /* microseconds: transient rows, which latencies are measured with */
	PAWS_CLOCK_SLOW,     /* an hour in every tier: when somebody or something became known */
	PAWS_CLOCK_ORDINARY, /* what was done in the ordinary lane: by tier */
	PAWS_CLOCK_CRISIS    /* what was done in the crisis lane: a second in every tier */
} PawsClock;

/* How long a row is kept. */
typedef enum PawsRetention
{
	PAWS_KEPT_UNTIL_FINISHED, /* while an operation waits and is applied, or a job waits and is done */
	PAWS_KEPT_TOPIC_HISTORY,  /* after a job ended; see paws_sync.topics() */
	PAWS_KEPT_DEAD_LETTERS,   /* the same, of jobs that failed for good */
	PAWS_KEPT_OFFLINE_WINDOW, /* of the tier; see paws_sync.tier_policy */
	PAWS_KEPT_SIGNALS,        /* while a crisis signal is open, or its item waits, and 30 days after */
	PAWS_KEPT_UNTIL_DELETED,  /* by a device, and until every live device has passed the tombstone */
	PAWS_KEPT_UNTIL_REPLACED, /* one row for each, always the last state */
	PAWS_KEPT_MONTH,          /* 31 days */
	PAWS_KEPT_FOR_GOOD
} PawsRetention;

typedef struct PawsManifestEntry
{
	const char *relation; /* with its schema */
	const char *column;
	PawsKind kind;
	PawsClock clock;
	PawsRetention kept;
	bool exported; /* may be in what a person is given of their data */
	bool crisis;   /* of the crisis lane: no tier changes anything */
} PawsManifestEntry;

/* All entries, by relation. */
extern const PawsManifestEntry *paws_manifest_entries(int *count);

/* Words for SQL; static strings. */
extern const char *paws_kind_name(PawsKind kind);
extern const char *paws_retention_name(PawsRetention kept);

/* The resolution of a clock in microseconds. Only PAWS_CLOCK_ORDINARY asks for the tier. */
extern int64 paws_clock_resolution(PawsClock clock, PawsTier tier);

/* The coarsest resolution of a clock over all tiers: by so much a stored time may be too early. */
extern int64 paws_clock_coarsest(PawsClock clock);

/* A time as it may be stored: rounded down, or, for the end of something that was promised, up. What is not
 * finite stays as it is. */
extern TimestampTz paws_manifest_time(PawsClock clock, PawsTier tier, TimestampTz time);
extern TimestampTz paws_manifest_end(PawsClock clock, PawsTier tier, TimestampTz time);

#endif
