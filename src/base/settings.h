/*
 * base/settings.h - every setting of the extension (paws_sync.*), with its unit.
 */
#ifndef PAWS_BASE_SETTINGS_H
#define PAWS_BASE_SETTINGS_H

#include "postgres.h"

extern char *paws_databases;   /* comma-separated names; workers run in these */
extern int paws_max_databases; /* slots in shared memory */
extern char *paws_care_root;   /* "provider:argument" of a root; empty: none */
extern char *paws_crisis_root;
extern char *paws_billing_root;
extern int paws_root_command_timeout;   /* ms that the command of a root may take */
extern char *paws_keyring_file;         /* path; empty: none */
extern bool paws_require_locked_memory; /* a process without locked memory uses no secret */
extern bool paws_apply_at_once;         /* a push applies what nothing in the queue is before */
extern int paws_pool_size;              /* pool workers for each database */
extern int paws_batch_size;             /* operations */
extern int paws_batch_time;             /* ms that one batch of a pool worker aims to stay below */
extern int paws_poll_interval;          /* ms; backstop for a lost wake */
extern int paws_max_attempts;           /* crashes or failures before an operation is rejected */
extern int paws_guaranteed_share;       /* percent of claims for the most overdue work */
extern int paws_max_operations;         /* operations in one push */
extern int paws_max_wait_with_snapshot; /* ms */
extern int paws_device_expiry;          /* minutes */
extern int paws_housekeeping_interval;  /* seconds between two walks over all subjects */
extern int paws_crisis_max_payload;     /* kB */
extern int paws_canary_interval;        /* seconds between two canaries of the crisis lane; 0: none */
extern int paws_crisis_queue_max;       /* operations that may wait in the crisis lane's queue */
extern int paws_storage_alarm;          /* MB of free space below which there is an alarm; 0: never */
extern int paws_crisis_signal_expiry;   /* minutes */
extern int paws_crisis_response_time;   /* seconds that responders have for the most urgent signals */
extern char *paws_crisis_role;          /* whose members may use reserved connections; empty: none */
extern bool paws_crisis_standby_wait;
extern int paws_crisis_reserved_connections;
extern int paws_max_subjects_limited; /* subjects with a rate that shared memory holds at once */
extern int paws_max_topics;           /* topics of each database */
extern int paws_max_flows;            /* flows of each database that shared memory holds at once */
extern int paws_key_cache_ttl;        /* seconds */
extern int paws_bulk_wal_rate;        /* kB in a second */
extern int paws_crisis_spin;          /* us */
extern int paws_erasure_interval;     /* seconds */
extern int paws_epoch_lifetime;       /* seconds; 0: never */
extern int paws_byte_budget;          /* kB in a second, of ordinary payloads in both directions; 0: none */
extern int paws_crisis_reserve;       /* percent of byte budget and pool that is kept for crisis */
extern int paws_max_leases;           /* jobs of each database that can run at once */
extern int paws_keyring_backup_retention; /* seconds */
extern int paws_log_scrub;                /* a PawsLogScrub */

/* Which lines of the server's log lose their values. */
typedef enum PawsLogScrub
{
	PAWS_LOG_SCRUB_ALL,
	PAWS_LOG_SCRUB_EXTENSION,
	PAWS_LOG_SCRUB_OFF
} PawsLogScrub;

/* The largest paws_sync.batch_time, ms: crisis/budget.h counts on it. */
#define PAWS_BATCH_TIME_MAX 20

/* The largest paws_sync.pool_size. */
#define PAWS_POOL_SIZE_MAX 32

/* Defines the settings and reserves the prefix. Called from _PG_init, first; `preloading` adds those that
 * only a start can set. */
extern void paws_settings_init(bool preloading);

/* The names in paws_sync.databases as a palloc'd List of char *; bad syntax was refused by the check hook. */
extern struct List *paws_settings_databases(void);

#endif
