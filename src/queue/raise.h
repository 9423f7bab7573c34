/*
 * queue/raise.h - subjects whose waiting work is served before its level: they are in a crisis.
 *
 * Nothing of what waits is rewritten: a claim asks first for work of raised subjects, by the indexes that
 * begin with the subject. Who is raised stands in paws_queue.raised, and in shared memory, where claims look;
 * each subject there has a mark that says whether it may have any work, so that a look costs what it finds.
 * Base levels stay; a paused level is not served from here either.
 *
 * Only paws_raise_set needs SPI.
 */
#ifndef PAWS_QUEUE_RAISE_H
#define PAWS_QUEUE_RAISE_H

#include "postgres.h"
#include "datatype/timestamp.h"

/* The effective level of their work: with what controls the engine. */
#define PAWS_RAISED_LEVEL 8

/* Most subjects of a database that are raised at once; the others are served at their levels. */
#define PAWS_RAISED_MAX 1024

/* Called from _PG_init: offers the shared memory. */
extern void paws_raise_init(void);

typedef struct PawsRaised
{
	int64 subject_no;
	TimestampTz until;
} PawsRaised;

/* These are raised from the commit on, and nobody else; in the order of their numbers, at most
 * PAWS_RAISED_MAX. */
extern void paws_raise_set(int slot, const PawsRaised *raised, int count);

/* False until the first paws_raise_set since the start. */
extern bool paws_raise_known(int slot);

/* True if the subject is in a crisis, as far as it was carried over. */
extern bool paws_raised(int slot, int64 subject_no);

/* True if anybody is raised; a hint. */
extern bool paws_raise_any(int slot);

typedef enum PawsRaisedWork
{
	PAWS_RAISED_OPERATIONS,
	PAWS_RAISED_JOBS,
	PAWS_RAISED_WORKS
} PawsRaisedWork;

/* A raised subject that may have work, and what paws_raise_idle is to be told. To be taken before the
 * snapshot. */
typedef struct PawsRaisedLook
{
	int64 subject_no;
	uint32 look;
} PawsRaisedLook;

/* Fills in up to `max`; how many. Each call begins with another one. */
extern int paws_raise_looks(int slot, PawsRaisedWork work, PawsRaisedLook *looks, int max);

/* Nothing of the subject waits, nor is put off. */
extern void paws_raise_idle(int slot, PawsRaisedWork work, const PawsRaisedLook *look);

/* At commit: the subject may have work of both kinds. Cheap while nobody is raised. */
extern void paws_raise_touch_at_commit(int slot, int64 subject_no);

/* All raised subjects may have work, whoever put it. */
extern void paws_raise_touch_all(int slot);

#endif
