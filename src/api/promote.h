/*
 * api/promote.h - giving full service to devices that were registered for the crisis lane alone.
 */
#ifndef PAWS_API_PROMOTE_H
#define PAWS_API_PROMOTE_H

#include "postgres.h"

/* Gives it to as many of a subject, oldest first, as the tier has room for; false if it has none, which costs
 * a look. Needs SPI connected. */
extern bool paws_device_promote(int64 subject_no);

#endif
