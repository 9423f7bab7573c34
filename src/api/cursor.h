/*
 * api/cursor.h - a device's place in both lanes, as the SQL type paws_sync.cursor.
 *
 * Bytes: format 1; then for the crisis and the ordinary lane a mode byte, for a feed epoch, position and
 * digest (8 bytes each, network order), for a seed those and the 16 bytes of the last document; then a
 * checksum of 5 bytes (BLAKE2b over the rest). Format 2 has, after the lanes, 8 bytes more: a digest of the
 * waiting crisis operations that the device was told of, up to the last of them. Format 3 has these (0: of
 * none) and 8 more: a digest of the open crisis signals that it was told of. Text: cur_ and URL-safe base64.
 * A cursor is no secret and no right: it says where to go on reading in the subject's own feed, and a wrong
 * one answers a reset.
 */
#ifndef PAWS_API_CURSOR_H
#define PAWS_API_CURSOR_H

#include "postgres.h"
#include "store/page.h"

typedef struct PawsCursor
{
	PawsLaneCursor crisis;
	PawsLaneCursor ordinary;
	uint64 pending; /* what paws_crisis_pending returned; 0: nothing */
	uint64 signals; /* what paws_signals_digest returned; 0: none */
} PawsCursor;

/* A datum of the type, palloc'd; and back. */
extern Datum paws_cursor_datum(const PawsCursor *cursor);
extern void paws_cursor_from_datum(Datum value, PawsCursor *cursor);

#endif
