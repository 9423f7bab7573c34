/*
 * crisis/room.h - how many operations wait in the lane's queue, and how many may.
 *
 * A count in shared memory for each database: it follows commits, and a count of the table corrects it from
 * time to time, so it needs no row that pushes would share. What is put by transactions that are still open
 * is not in it; by so much the bound may be exceeded.
 */
#ifndef PAWS_CRISIS_ROOM_H
#define PAWS_CRISIS_ROOM_H

#include "postgres.h"

extern void paws_room_init(void);

/* Errors 53400 with a hint unless `count` more operations may wait. */
extern void paws_room_require(int slot, int count);

/* The count moves when the current transaction commits; below zero for what is taken out. */
extern void paws_room_at_commit(int slot, int count);

extern int64 paws_room_waiting(int slot);

/* The table was counted. */
extern void paws_room_correct(int slot, int64 waiting);

#endif
