/*
 * queue/topic.h - topics: the kinds of jobs.
 *
 * Cached in the process and read anew when somebody changed them; pointers are good until the next call of
 * any function here. Needs SPI connected.
 */
#ifndef PAWS_QUEUE_TOPIC_H
#define PAWS_QUEUE_TOPIC_H

#include "postgres.h"
#include "datatype/timestamp.h"

#define PAWS_TOPIC_NAME_MAX 31

/* The most that paws_sync.max_topics may be. */
#define PAWS_TOPICS_MAX 256

typedef struct PawsTopic
{
	int16 no;    /* never given anew */
	int16 place; /* from 1 to paws_sync.max_topics, in shared memory; given anew when a topic was dropped */
	int16 max_attempts;
	int32 in_flight_per_flow; /* 0: any number */
	int64 backoff;            /* this and all below in microseconds */
	int64 max_backoff;
	int64 lease;
	int64 history; /* 0: none */
	int64 dead_letters_kept;
	bool paused;
	TimestampTz defined_at;
	char name[PAWS_TOPIC_NAME_MAX + 1];
} PawsTopic;

/* The topic of a name, which may be anything; NULL if there is none. */
extern const PawsTopic *paws_topic_find(const char *name, Size length);

/* The same; errors PW010 with a hint if there is none. */
extern const PawsTopic *paws_topic(const char *name, Size length);

/* The topic of a number; NULL if there is none. */
extern const PawsTopic *paws_topic_no(int16 no);

/* All topics, by name; how many there are. */
extern int paws_topics(const PawsTopic **topics);

/*
 * Defines a topic, or changes all but the name of one; no, place, paused, defined_at and name of the
 * definition are not looked at. Makes the key of jobs without a subject, and the history of today and
 * tomorrow. Errors 22023 on a bad name, 53400 when there are paws_sync.max_topics already, 55000 without
 * keys.
 */
extern void paws_topic_define(const char *name, Size length, const PawsTopic *definition);

/* Removes a topic, and what is remembered of its finished jobs' keys. Errors PW010 if there is none, 55006
 * with a hint while a job of it waits, runs, or is dead. */
extern void paws_topic_drop(const char *name, Size length);

/* From the commit on nothing of a paused topic is claimed. False if it was so before. Errors PW010. */
extern bool paws_topic_pause(const char *name, Size length, bool paused);

#endif
