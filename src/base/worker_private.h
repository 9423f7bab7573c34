/*
 * base/worker_private.h - between worker.c (slots) and worker_run.c (the process).
 */
#ifndef PAWS_BASE_WORKER_PRIVATE_H
#define PAWS_BASE_WORKER_PRIVATE_H

#include "base/worker.h"

extern PawsWorkerSlot *paws_worker_slot(int index);

/* Marks the slot as this process's; false if it was given to somebody else or taken back meanwhile. */
extern bool paws_worker_occupy(int index, uint32 generation);

/* Frees the slot if it is still of this generation. */
extern void paws_worker_release(int index, uint32 generation);

/* A slot for the launcher itself, which nobody starts; -1 if all are taken. */
extern int paws_worker_adopt_launcher(uint32 *generation);

#endif
