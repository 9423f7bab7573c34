/*
 * workers/workers.h - the entry points of background workers.
 *
 * Named as strings when workers are registered, so they are exported and nothing else calls them.
 */
#ifndef PAWS_WORKERS_H
#define PAWS_WORKERS_H

#include "postgres.h"

#define PAWS_LAUNCHER_ENTRY  "paws_launcher_main"
#define PAWS_SCHEDULER_ENTRY "paws_scheduler_main"
#define PAWS_POOL_ENTRY      "paws_pool_main"
#define PAWS_TIMER_ENTRY     "paws_timer_main"
#define PAWS_CRISIS_ENTRY    "paws_crisis_main"
#define PAWS_CANARY_ENTRY    "paws_canary_main"

extern PGDLLEXPORT void paws_launcher_main(Datum main_arg);
extern PGDLLEXPORT void paws_scheduler_main(Datum main_arg);
extern PGDLLEXPORT void paws_pool_main(Datum main_arg);
extern PGDLLEXPORT void paws_timer_main(Datum main_arg);
extern PGDLLEXPORT void paws_crisis_main(Datum main_arg);
extern PGDLLEXPORT void paws_canary_main(Datum main_arg);

#endif
