/*
 * control/wal_flood.h - which client writes how much WAL.
 *
 * The server counts WAL for itself as a whole. So each client's process notes at the end of a transaction
 * what it wrote since the one before, in a place of its own in shared memory; a transaction that wrote
 * nothing notes nothing. What a transaction writes that still runs is estimated when somebody asks.
 */
#ifndef PAWS_CONTROL_WAL_FLOOD_H
#define PAWS_CONTROL_WAL_FLOOD_H

#include "postgres.h"

extern void paws_wal_flood_init(void);

/* The client that writes most; pid 0 if none writes. */
typedef struct PawsWalWriter
{
	int pid;
	double rate; /* bytes in a second, lately (over some PAWS_WAL_FLOOD_SECONDS) */
} PawsWalWriter;

#define PAWS_WAL_FLOOD_SECONDS 5

/* Takes PAWS_WAL_FLOOD_LOOK_MS while a transaction of a client is writing, and hardly any time else. */
#define PAWS_WAL_FLOOD_LOOK_MS 200

extern void paws_wal_flood_worst(PawsWalWriter *worst);

#endif
