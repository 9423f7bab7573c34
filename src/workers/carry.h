/*
 * workers/carry.h - carries crisis signals from their lane to the ordinary one: whose waiting work is raised.
 */
#ifndef PAWS_WORKERS_CARRY_H
#define PAWS_WORKERS_CARRY_H

#include "postgres.h"

#define PAWS_CARRY_IDLE (-1)

/*
 * One turn, called by the scheduler outside a transaction. If signals changed, or the server started, it
 * reads them in one transaction and writes who is raised in another: the lane's tables are not held while the
 * ordinary one's are waited for. Returns the ms until more is to be done, or PAWS_CARRY_IDLE.
 */
extern long paws_carry_turn(int slot);

#endif
