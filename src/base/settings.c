/*
 * base/settings.c - definitions of the settings and their checks.
 */
#include "postgres.h"

#include <limits.h>

#include "base/settings.h"
#include "nodes/pg_list.h"
#include "utils/guc.h"
#include "utils/varlena.h"

char *paws_databases = NULL;
int paws_max_databases = 4;
char *paws_care_root = NULL;
char *paws_crisis_root = NULL;
char *paws_billing_root = NULL;
int paws_root_command_timeout = 5000;
char *paws_keyring_file = NULL;
bool paws_require_locked_memory = false;
bool paws_apply_at_once = true;
int paws_pool_size = 2;
int paws_batch_size = 100;
int paws_batch_time = 20;
int paws_poll_interval = 1000;
int paws_max_attempts = 5;
int paws_guaranteed_share = 10;
int paws_max_operations = 10000;
int paws_max_wait_with_snapshot = 1000;
int paws_device_expiry = 30 * 24 * 60;
int paws_housekeeping_interval = 300;
int paws_crisis_max_payload = 1024;
int paws_canary_interval = 10;
int paws_crisis_queue_max = 100000;
int paws_storage_alarm = 2048;
int paws_crisis_signal_expiry = 72 * 60;
int paws_crisis_response_time = 60;
char *paws_crisis_role = NULL;
int paws_crisis_reserved_connections = 3;
bool paws_crisis_standby_wait = true;
int paws_max_subjects_limited = 20000;
int paws_max_topics = 64;
int paws_max_leases = 10000;
int paws_max_flows = 16384;
int paws_byte_budget = 0;
int paws_crisis_reserve = 20;
int paws_key_cache_ttl = 300;
int paws_bulk_wal_rate = 32 * 1024;
int paws_crisis_spin = 1000;
int paws_erasure_interval = 24 * 60 * 60;
int paws_epoch_lifetime = 90 * 24 * 60 * 60;
int paws_keyring_backup_retention = 30 * 24 * 60 * 60;
int paws_log_scrub = PAWS_LOG_SCRUB_ALL;

static const struct config_enum_entry log_scrub_options[] = {
	{"all", PAWS_LOG_SCRUB_ALL, false},
	{"extension", PAWS_LOG_SCRUB_EXTENSION, false},
	{"off", PAWS_LOG_SCRUB_OFF, false},
	{NULL, 0, false},
};

static bool
check_databases(char **newval, void **extra, GucSource source)
{
	char *copy;
	List *names;
	bool good;

	if (*newval == NULL)
		return true;
	copy = pstrdup(*newval);
	good = SplitIdentifierString(copy, ',', &names);
	if (!good)
		GUC_check_errdetail("List syntax is invalid.");
	else
		list_free(names);
	pfree(copy);
	return good;
}

static void
define_int(const char *name, const char *about, int *value, int min, int max, GucContext context, int flags)
{
	DefineCustomIntVariable(name, about, NULL, value, *value, min, max, context, flags, NULL, NULL, NULL);
}

static void
define_place(const char *name, const char *about, const char *more, char **value)
{
	DefineCustomStringVariable(name, about, more, value, "", PGC_POSTMASTER, GUC_SUPERUSER_ONLY, NULL, NULL,
							   NULL);
}

static void
define_key_settings(void)
{
	static const char form[] = "\"file:/absolute/path\" or \"command:/absolute/program arguments\".";

	define_place("paws_sync.care_root", "Provider of the root key of ordinary sync.", form, &paws_care_root);
	define_place("paws_sync.crisis_root", "Provider of the root key of the crisis lane.", form,
				 &paws_crisis_root);
	define_place("paws_sync.billing_root", "Provider of the root key of billing.", form, &paws_billing_root);
	define_int("paws_sync.root_command_timeout", "Time that the command of a root may take.",
			   &paws_root_command_timeout, 100, 60000, PGC_POSTMASTER, GUC_UNIT_MS);
	define_place("paws_sync.keyring_file", "File with the keys that the roots wrap.",
				 "Outside the data directory, in a folder of the server's user.", &paws_keyring_file);
}

/* Sizes of shared memory and what the postmaster reads: only a start can set them. */
static void
define_start_settings(void)
{
	define_int("paws_sync.max_databases", "Databases of this cluster that can use paws_sync at once.",
			   &paws_max_databases, 1, 64, PGC_POSTMASTER, 0);
	define_int("paws_sync.max_subjects_limited", "Subjects whose rate is tracked in shared memory at once.",
			   &paws_max_subjects_limited, 100, 10000000, PGC_POSTMASTER, 0);
	define_int("paws_sync.max_leases", "Jobs of each database that can be claimed at once.", &paws_max_leases,
			   16, 1000000, PGC_POSTMASTER, 0);
	define_int("paws_sync.max_topics", "Topics that each database can have.", &paws_max_topics, 1, 256,
			   PGC_POSTMASTER, 0);
	define_int("paws_sync.max_flows", "Flows of each database whose turns are kept in shared memory at once.",
			   &paws_max_flows, 256, 10000000, PGC_POSTMASTER, 0);
	define_key_settings();
}

/* How keys are kept, rotated and destroyed. */
static void
define_rotation_settings(void)
{
	define_int("paws_sync.key_cache_ttl", "Longest time that a process keeps opened data keys.",
			   &paws_key_cache_ttl, 1, 86400, PGC_SIGHUP, GUC_UNIT_S);
	define_int("paws_sync.bulk_wal_rate", "WAL that work in bulk may write in a second.", &paws_bulk_wal_rate,
			   64, 1024 * 1024, PGC_SIGHUP, GUC_UNIT_KB);
	define_int("paws_sync.erasure_interval",
			   "Time for which erasures are collected before the epochs of their keys are destroyed.",
			   &paws_erasure_interval, 0, 30 * 86400, PGC_SIGHUP, GUC_UNIT_S);
	define_int("paws_sync.epoch_lifetime", "Age at which the epochs of a database are rotated; 0: never.",
			   &paws_epoch_lifetime, 0, 10 * 366 * 86400, PGC_SIGHUP, GUC_UNIT_S);
	define_int("paws_sync.keyring_backup_retention",
			   "Time for which backups of the keyring file are kept, as the certificates of erasures say it.",
			   &paws_keyring_backup_retention, 0, 10 * 366 * 86400, PGC_SIGHUP, GUC_UNIT_S);
}

/* How long a crisis signal lasts, and when it is escalated. */
static void
define_signal_settings(void)
{
	define_int("paws_sync.crisis_signal_expiry",
			   "Time after which a crisis signal that nobody resolved ends.", &paws_crisis_signal_expiry, 1,
			   366 * 24 * 60, PGC_SIGHUP, GUC_UNIT_MIN);
	define_int("paws_sync.crisis_response_time",
			   "Time in which an imminent crisis signal is to be claimed; others have a multiple of it.",
			   &paws_crisis_response_time, 1, 86400, PGC_SIGHUP, GUC_UNIT_S);
}

/* Who gets in when nearly all connections are taken. */
static void
define_connection_settings(void)
{
	DefineCustomStringVariable("paws_sync.crisis_role",
							   "Role whose members may use the reserved connections.", NULL,
							   &paws_crisis_role, "", PGC_SIGHUP, 0, NULL, NULL, NULL);
	define_int("paws_sync.crisis_reserved_connections",
			   "Connections that are kept free for members of paws_sync.crisis_role.",
			   &paws_crisis_reserved_connections, 0, 1000, PGC_SIGHUP, 0);
}

/* How the crisis lane is watched, and announced to fail before it does. */
static void
define_health_settings(void)
{
	define_int("paws_sync.canary_interval", "Time between two canaries of the crisis lane; 0: none.",
			   &paws_canary_interval, 0, 3600, PGC_SIGHUP, GUC_UNIT_S);
	define_int("paws_sync.crisis_queue_max", "Operations that may wait in the crisis lane's queue.",
			   &paws_crisis_queue_max, 1, INT_MAX, PGC_SIGHUP, 0);
	define_int("paws_sync.storage_alarm",
			   "Free space of data directory and WAL below which there is an alarm; 0: never.",
			   &paws_storage_alarm, 0, INT_MAX, PGC_SIGHUP, GUC_UNIT_MB);
}

static void
define_reloadable_settings(void)
{
	DefineCustomStringVariable("paws_sync.databases",
							   "Databases in which background workers serve paws_sync.", NULL,
							   &paws_databases, "", PGC_SIGHUP, GUC_LIST_INPUT, check_databases, NULL, NULL);
	define_int("paws_sync.pool_size", "Pool workers for each database.", &paws_pool_size, 1,
			   PAWS_POOL_SIZE_MAX, PGC_SIGHUP, 0);
	define_int("paws_sync.batch_size", "Most operations that a pool worker applies in one transaction.",
			   &paws_batch_size, 1, 1000, PGC_SIGHUP, 0);
	define_int("paws_sync.batch_time", "Time that one transaction of a pool worker aims to stay below.",
			   &paws_batch_time, 1, PAWS_BATCH_TIME_MAX, PGC_SIGHUP, GUC_UNIT_MS);
	define_int("paws_sync.poll_interval",
			   "Time after which an idle worker looks for work that nothing announced.", &paws_poll_interval,
			   10, 60000, PGC_SIGHUP, GUC_UNIT_MS);
	define_int("paws_sync.max_attempts", "Failed attempts after which an operation is rejected.",
			   &paws_max_attempts, 1, 100, PGC_SIGHUP, 0);
	define_int("paws_sync.guaranteed_share",
			   "Percentage of claims that goes to the most overdue work of any level.",
			   &paws_guaranteed_share, 1, 50, PGC_SIGHUP, 0);
	define_int("paws_sync.max_operations_per_call", "Most operations in one push.", &paws_max_operations, 1,
			   1000000, PGC_SIGHUP, 0);
	define_int("paws_sync.max_wait_with_snapshot", "Longest wait of one pull_wait, which holds a snapshot.",
			   &paws_max_wait_with_snapshot, 10, 60000, PGC_SIGHUP, GUC_UNIT_MS);
	define_int("paws_sync.device_expiry", "Time after which a silent device holds back nothing any more.",
			   &paws_device_expiry, 1, INT_MAX, PGC_SIGHUP, GUC_UNIT_MIN);
	define_int("paws_sync.housekeeping_interval",
			   "Time between two walks that expire feed entries and tombstones.", &paws_housekeeping_interval,
			   1, 86400, PGC_SIGHUP, GUC_UNIT_S);
	define_int("paws_sync.crisis_max_payload", "Largest payload of a crisis operation.",
			   &paws_crisis_max_payload, 64, 65536, PGC_SIGHUP, GUC_UNIT_KB);
	DefineCustomBoolVariable("paws_sync.crisis_standby_wait",
							 "Whether commits of the crisis lane wait for synchronous standbys.", NULL,
							 &paws_crisis_standby_wait, true, PGC_SIGHUP, 0, NULL, NULL, NULL);
	define_int("paws_sync.byte_budget",
			   "Bytes of payloads that may be pushed and pulled in a second; 0: no bound.", &paws_byte_budget,
			   0, INT_MAX, PGC_SIGHUP, GUC_UNIT_KB);
	define_int(
		"paws_sync.crisis_spin",
		"Microseconds for which a waiting consumer keeps its processor while a crisis commit is flushed.",
		&paws_crisis_spin, 0, 10000, PGC_SIGHUP, 0);
	define_int("paws_sync.crisis_reserve", "Percentage of budget and pool that is kept for the crisis lane.",
			   &paws_crisis_reserve, 0, 80, PGC_SIGHUP, 0);
	DefineCustomBoolVariable("paws_sync.require_locked_memory",
							 "Lets a process use no secret that it cannot lock in memory.", NULL,
							 &paws_require_locked_memory, paws_require_locked_memory, PGC_SIGHUP, 0, NULL,
							 NULL, NULL);
	DefineCustomEnumVariable("paws_sync.log_scrub", "Lines of the server log that lose their values.",
							 "all: every line; extension: lines that name paws_sync, which leaks; off: none.",
							 &paws_log_scrub, paws_log_scrub, log_scrub_options, PGC_SUSET, 0, NULL, NULL,
							 NULL);
}

static void
define_push_settings(void)
{
	DefineCustomBoolVariable(
		"paws_sync.apply_at_once",
		"Lets a push apply its operations itself where nothing in the queue is before them.", NULL,
		&paws_apply_at_once, paws_apply_at_once, PGC_SUSET, 0, NULL, NULL, NULL);
}

void
paws_settings_init(bool preloading)
{
	if (preloading)
		define_start_settings();
	define_reloadable_settings();
	define_push_settings();
	define_rotation_settings();
	define_signal_settings();
	define_connection_settings();
	define_health_settings();
	/* without a preload the settings above are unknown here, and reserving would complain of them */
	if (preloading)
		MarkGUCPrefixReserved("paws_sync");
}

List *
paws_settings_databases(void)
{
	List *names = NIL;

	if (paws_databases != NULL && paws_databases[0] != '\0')
		(void) SplitIdentifierString(pstrdup(paws_databases), ',', &names);
	return names;
}
