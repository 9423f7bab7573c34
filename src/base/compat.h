/*
 * base/compat.h - differences between server versions, in one place. The floor is PostgreSQL 15.
 */
#ifndef PAWS_BASE_COMPAT_H
#define PAWS_BASE_COMPAT_H

#include "postgres.h"
#include "access/tableam.h"
#include "executor/executor.h"
#include "storage/proc.h"

#if PG_VERSION_NUM < 150000
#error "paws_sync needs PostgreSQL 15 or later"
#endif

/* The number that stands for this process in ProcGlobal->allProcs. */
#if PG_VERSION_NUM >= 170000
#define PAWS_MY_PROC_NUMBER ((int) MyProcNumber)
#else
#define PAWS_MY_PROC_NUMBER (MyProc->pgprocno)
#endif

/* The process that runs, or ran, a virtual transaction; and the number of the one that it runs. */
#if PG_VERSION_NUM >= 170000
#define PAWS_PROC_OF(transaction) ProcNumberGetProc((transaction)->procNumber)
#define PAWS_LOCAL_XID(proc)      ((proc)->vxid.lxid)
#else
#define PAWS_PROC_OF(transaction) BackendIdGetProc((transaction)->backendId)
#define PAWS_LOCAL_XID(proc)      ((proc)->lxid)
#endif

/* Entry `i`, from 1, of what this transaction sees of running processes. */
#if PG_VERSION_NUM >= 160000
#define PAWS_LOCAL_BACKEND(i) pgstat_get_local_beentry_by_index(i)
#else
#define PAWS_LOCAL_BACKEND(i) pgstat_fetch_stat_local_beentry(i)
#endif

#if PG_VERSION_NUM >= 160000
#define PAWS_OWNS_DATABASE(database) object_ownercheck(DatabaseRelationId, database, GetUserId())
#else
#define PAWS_OWNS_DATABASE(database) pg_database_ownercheck(database, GetUserId())
#endif

/* Index entries of a row that was put, and which a changed one needs: from 16 on an update says more than
 * yes. */
#if PG_VERSION_NUM >= 160000
typedef TU_UpdateIndexes PawsUpdatedIndexes;
#define PAWS_INDEX_ENTRIES(info, slot, estate, updated, once, conflict, arbiters)                            \
	ExecInsertIndexTuples(info, slot, estate, (updated) != TU_None, once, conflict, arbiters,                \
						  (updated) == TU_Summarizing)
#define PAWS_NO_INDEX_UPDATED TU_None
#else
typedef bool PawsUpdatedIndexes;
#define PAWS_INDEX_ENTRIES(info, slot, estate, updated, once, conflict, arbiters)                            \
	ExecInsertIndexTuples(info, slot, estate, updated, once, conflict, arbiters)
#define PAWS_NO_INDEX_UPDATED false
#endif

#endif
