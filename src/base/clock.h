/*
 * base/clock.h - the clock that nobody sets.
 *
 * What waits, rests or gives up after a while goes by it: the wall clock may be set back by an hour, and then
 * what was to happen in a second would happen in an hour. Times that are stored or shown go by the wall
 * clock.
 */
#ifndef PAWS_BASE_CLOCK_H
#define PAWS_BASE_CLOCK_H

#include "postgres.h"
#include "portability/instr_time.h"

/* Microseconds since some moment before the server started; never falls. Not comparable between machines or
 * boots. */
static inline int64
paws_clock(void)
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MICROSEC(now);
}

/* The same in nanoseconds, for what adds up. */
static inline int64
paws_clock_ns(void)
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) now.tv_sec * INT64CONST(1000000000) + (int64) now.tv_nsec;
}

#endif
