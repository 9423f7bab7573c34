/*
 * crisis/resources.h - where a person in a crisis can turn to: public hotlines and emergency numbers.
 *
 * What ships is part of the library, so that no table has to be read for it; an operator's lines stand in
 * paws_crisis.resource and win. The lines of 988 are fixed: nobody can change or drop them, and every bundle
 * has them.
 */
#ifndef PAWS_CRISIS_RESOURCES_H
#define PAWS_CRISIS_RESOURCES_H

#include "postgres.h"
#include "guard/codes.h"

/* A country (ISO 3166, or eu), or a part of one: us, us_ny. Lower case. */
#define PAWS_REGION_MAX        6
#define PAWS_RESOURCE_NAME_MAX 31

typedef struct PawsResource
{
	char region[PAWS_REGION_MAX + 1];
	char name[PAWS_RESOURCE_NAME_MAX + 1];
	PawsChannel channel;
	const char *contact; /* call, text: a number to dial; chat, web: an address */
	bool fixed;
	bool shipped; /* as the library has it */
	bool shown;   /* an operator did not take it out */
	int priority; /* 1: nearest to the region asked for; 0: not for it */
} PawsResource;

/*
 * All lines: what ships, with what the operator set in its place. Allocated in the current memory context.
 * Needs SPI connected. The operator's table is waited for briefly; if it cannot be read, what ships is all
 * there is, and the log says so.
 */
extern PawsResource *paws_resources_read(int *count);

/*
 * Gives each line its priority for a region (NULL: not known, everything is told) and sorts by it. Returns
 * how many there are to tell; they come first.
 */
extern int paws_resources_choose(PawsResource *resources, int count, const char *region);

/*
 * Reads a region as a device may write it: either case, a dash for the underscore. False if it is none.
 */
extern bool paws_region_parse(const char *text, Size length, char region[PAWS_REGION_MAX + 1]);

#endif
