/*
 * api/cursor_type.c - packing cursors, and the SQL type around them.
 */
#include "postgres.h"

#include <sodium.h>

#include "api/cursor.h"
#include "base/errors.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "port/pg_bswap.h"

#define FORMAT         1
#define FORMAT_PENDING 2
#define FORMAT_SIGNALS 3
#define PREFIX         "cur_"
#define CHECK_BYTES    5
#define LANE_MAX       (1 + 3 * 8 + UUID_LEN)
#define CURSOR_MAX     (1 + 2 * LANE_MAX + 2 * 8 + CHECK_BYTES)
#define VARIANT        sodium_base64_VARIANT_URLSAFE_NO_PADDING

PG_FUNCTION_INFO_V1(paws_cursor_in);
PG_FUNCTION_INFO_V1(paws_cursor_out);
PG_FUNCTION_INFO_V1(paws_cursor_recv);
PG_FUNCTION_INFO_V1(paws_cursor_send);

static uint8 *
put_number(uint8 *at, uint64 number)
{
	number = pg_hton64(number);
	memcpy(at, &number, sizeof(number));
	return at + sizeof(number);
}

static const uint8 *
get_number(const uint8 *at, uint64 *number)
{
	memcpy(number, at, sizeof(*number));
	*number = pg_ntoh64(*number);
	return at + sizeof(*number);
}

static uint8 *
put_lane(uint8 *at, const PawsLaneCursor *lane)
{
	*at++ = lane->mode;
	if (lane->mode == PAWS_CURSOR_START)
		return at;
	at = put_number(at, (uint64) lane->epoch);
	at = put_number(at, (uint64) lane->position);
	at = put_number(at, lane->digest);
	if (lane->mode == PAWS_CURSOR_SEED)
	{
		memcpy(at, lane->after.data, UUID_LEN);
		at += UUID_LEN;
	}
	return at;
}

/* NULL if the bytes end too early or the mode is unknown. */
static const uint8 *
get_lane(const uint8 *at, const uint8 *end, PawsLaneCursor *lane)
{
	uint64 epoch;
	uint64 position;
	Size needed;

	memset(lane, 0, sizeof(*lane));
	if (at >= end)
		return NULL;
	lane->mode = *at++;
	if (lane->mode == PAWS_CURSOR_START)
		return at;
	if (lane->mode != PAWS_CURSOR_SEED && lane->mode != PAWS_CURSOR_FEED)
		return NULL;
	needed = 3 * sizeof(uint64) + (lane->mode == PAWS_CURSOR_SEED ? UUID_LEN : 0);
	if ((Size) (end - at) < needed)
		return NULL;
	at = get_number(at, &epoch);
	at = get_number(at, &position);
	at = get_number(at, &lane->digest);
	lane->epoch = (int64) epoch;
	lane->position = (int64) position;
	if (lane->mode == PAWS_CURSOR_SEED)
	{
		memcpy(lane->after.data, at, UUID_LEN);
		at += UUID_LEN;
	}
	return at;
}

static void
checksum(const uint8 *bytes, Size length, uint8 *check)
{
	static const char label[] = "paws_sync cursor v1";
	crypto_generichash_state state;
	uint8 hash[crypto_generichash_BYTES];

	crypto_generichash_init(&state, NULL, 0, sizeof(hash));
	crypto_generichash_update(&state, (const unsigned char *) label, sizeof(label) - 1);
	crypto_generichash_update(&state, bytes, length);
	crypto_generichash_final(&state, hash, sizeof(hash));
	memcpy(check, hash, CHECK_BYTES);
}

/* What there is nothing of has one form. */
static bool
get_digests(const uint8 *at, const uint8 *end, uint8 format, PawsCursor *cursor)
{
	if (end - at != (format - FORMAT) * (ptrdiff_t) sizeof(uint64))
		return false;
	if (format >= FORMAT_PENDING)
		at = get_number(at, &cursor->pending);
	if (format == FORMAT_SIGNALS)
		(void) get_number(at, &cursor->signals);
	return (format != FORMAT_PENDING || cursor->pending != 0) &&
		   (format != FORMAT_SIGNALS || cursor->signals != 0);
}

static bool
unpack(const uint8 *bytes, Size length, PawsCursor *cursor)
{
	const uint8 *end;
	const uint8 *at;
	uint8 check[CHECK_BYTES];

	cursor->pending = cursor->signals = 0;
	if (length < 1 + 2 + CHECK_BYTES || length > CURSOR_MAX || bytes[0] < FORMAT || bytes[0] > FORMAT_SIGNALS)
		return false;
	end = bytes + length - CHECK_BYTES;
	checksum(bytes, length - CHECK_BYTES, check);
	if (memcmp(check, end, CHECK_BYTES) != 0)
		return false;
	at = get_lane(bytes + 1, end, &cursor->crisis);
	at = at ? get_lane(at, end, &cursor->ordinary) : NULL;
	return at != NULL && get_digests(at, end, bytes[0], cursor);
}

static Datum
make_datum(const uint8 *bytes, Size length)
{
	bytea *value = palloc(VARHDRSZ + length);

	SET_VARSIZE(value, VARHDRSZ + length);
	memcpy(VARDATA(value), bytes, length);
	return PointerGetDatum(value);
}

Datum
paws_cursor_datum(const PawsCursor *cursor)
{
	uint8 bytes[CURSOR_MAX];
	uint8 *at = bytes;

	*at++ = cursor->signals ? FORMAT_SIGNALS : cursor->pending ? FORMAT_PENDING : FORMAT;
	at = put_lane(at, &cursor->crisis);
	at = put_lane(at, &cursor->ordinary);
	if (cursor->pending || cursor->signals)
		at = put_number(at, cursor->pending);
	if (cursor->signals)
		at = put_number(at, cursor->signals);
	checksum(bytes, at - bytes, at);
	return make_datum(bytes, at - bytes + CHECK_BYTES);
}

/* The type's input let nothing malformed in. */
void
paws_cursor_from_datum(Datum value, PawsCursor *cursor)
{
	bytea *packed = DatumGetByteaPP(value);

	if (!unpack((const uint8 *) VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed), cursor))
		elog(ERROR, "malformed cursor");
}

static void
refuse(int sqlstate)
{
	ereport(ERROR, (errcode(sqlstate), errmsg("invalid cursor"),
					errhint("Pass a cursor as paws_sync.pull returned it, or NULL to begin.")));
}

/* Only the canonical text of the bytes is taken: the decoder is more lenient than base64 is. */
Datum
paws_cursor_in(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);
	Size length = strlen(text);
	uint8 bytes[CURSOR_MAX];
	char canonical[CURSOR_MAX * 2];
	size_t nbytes = 0;
	PawsCursor cursor;

	if (length <= strlen(PREFIX) || length > CURSOR_MAX * 3 / 2 ||
		strncmp(text, PREFIX, strlen(PREFIX)) != 0 ||
		sodium_base642bin(bytes, sizeof(bytes), text + strlen(PREFIX), length - strlen(PREFIX), NULL, &nbytes,
						  NULL, VARIANT) != 0 ||
		strcmp(sodium_bin2base64(canonical, sizeof(canonical), bytes, nbytes, VARIANT),
			   text + strlen(PREFIX)) != 0 ||
		!unpack(bytes, nbytes, &cursor))
		refuse(ERRCODE_INVALID_TEXT_REPRESENTATION);
	return make_datum(bytes, nbytes);
}

Datum
paws_cursor_out(PG_FUNCTION_ARGS)
{
	bytea *value = PG_GETARG_BYTEA_PP(0);
	Size size = strlen(PREFIX) + sodium_base64_encoded_len(VARSIZE_ANY_EXHDR(value), VARIANT);
	char *text = palloc(size);

	strcpy(text, PREFIX);
	sodium_bin2base64(text + strlen(PREFIX), size - strlen(PREFIX),
					  (const unsigned char *) VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), VARIANT);
	PG_RETURN_CSTRING(text);
}

Datum
paws_cursor_recv(PG_FUNCTION_ARGS)
{
	StringInfo message = (StringInfo) PG_GETARG_POINTER(0);
	int length = message->len - message->cursor;
	const uint8 *bytes = (const uint8 *) pq_getmsgbytes(message, length);
	PawsCursor cursor;

	if (length < 0 || !unpack(bytes, length, &cursor))
		refuse(ERRCODE_INVALID_BINARY_REPRESENTATION);
	return make_datum(bytes, length);
}

Datum
paws_cursor_send(PG_FUNCTION_ARGS)
{
	bytea *value = PG_GETARG_BYTEA_PP(0);
	StringInfoData message;

	pq_begintypsend(&message);
	pq_sendbytes(&message, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}
