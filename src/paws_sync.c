/*
 * paws_sync.c - module magic and the list of what is set up when the library is loaded.
 *
 * Loading never fails, for pg_upgrade loads libraries: without preloading there is no shared memory and the
 * functions that need it say so.
 */
#include "postgres.h"

#include "base/database.h"
#include "base/fresh.h"
#include "base/reserve.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "base/wake.h"
#include "base/withdraw.h"
#include "base/worker.h"
#include "care/care.h"
#include "control/horizon.h"
#include "control/latency.h"
#include "control/topic_rates.h"
#include "control/wal_flood.h"
#include "crisis/attention.h"
#include "crisis/audit.h"
#include "fmgr.h"
#include "guard/connection_reserve.h"
#include "guard/log_scrub.h"
#include "miscadmin.h"
#include "queue/admission.h"
#include "queue/depth.h"
#include "queue/flow.h"
#include "queue/job.h"
#include "queue/mark.h"
#include "queue/queue.h"
#include "queue/raise.h"
#include "store/place.h"
#include "vault/keyring.h"
#include "vault/memory_state.h"
#include "vault/vault.h"
#include "workers/workers.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	bool preloading = process_shared_preload_libraries_in_progress;

	paws_settings_init(preloading);
	if (!preloading)
		return;

	paws_database_init();
	paws_fresh_init();
	paws_wake_init();
	paws_worker_init();
	paws_queue_init();
	paws_mark_init();
	paws_raise_init();
	paws_job_init();
	paws_flow_init();
	paws_depth_init();
	paws_care_init();
	paws_reserve_init();
	paws_admission_init();
	paws_attention_init();
	paws_latency_init();
	paws_horizon_init();
	paws_place_init();
	paws_topic_rates_init();
	paws_wal_flood_init();
	paws_memory_state_init();
	paws_keyring_init();
	paws_vault_seals_init();
	paws_crisis_audit_init();
	paws_shmem_install();
	paws_withdraw_init();
	if (IsBinaryUpgrade)
		return;

	paws_connection_reserve_init();
	paws_log_scrub_init();
	paws_vault_init();
	paws_worker_register_launcher(PAWS_LAUNCHER_ENTRY);
}
