/*
 * control/topic_rates.h - how many jobs of a topic come and go in a second.
 *
 * The timer takes a sample of the totals about once a second while anything moves; a rate is the difference
 * between the newest and the oldest that are kept.
 */
#ifndef PAWS_CONTROL_TOPIC_RATES_H
#define PAWS_CONTROL_TOPIC_RATES_H

#include "postgres.h"
#include "queue/topic.h"

typedef struct PawsTopicRates
{
	double in; /* submitted in a second, over the last ten or so */
	double out;
} PawsTopicRates;

extern void paws_topic_rates_init(void);

/* Takes samples of all places if the last ones are a second old. True while a rate is not 0, so that another
 * sample is wanted. Without a transaction; called by the timer alone. */
extern bool paws_topic_rates_sample(int slot);

extern void paws_topic_rates(int slot, const PawsTopic *topic, PawsTopicRates *rates);

#endif
