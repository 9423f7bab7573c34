/*
 * guard/token_type.c - the SQL types subject, device and context.
 *
 * They are three types over the same 25 bytes, so comparing and hashing is shared, while reading and printing
 * is per kind. Nothing here needs a key or shared memory: dump, restore, replicas and upgrades must be able
 * to run it. No message repeats the value, because messages go to logs.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "libpq/pqformat.h"

#include "guard/mint.h"
#include "guard/token_type.h"

const char *
paws_token_kind_name(PawsTokenKind kind)
{
	switch (kind)
	{
		case PAWS_TOKEN_SUBJECT:
			return "subject";
		case PAWS_TOKEN_DEVICE:
			return "device";
		case PAWS_TOKEN_CONTEXT:
			return "context";
		case PAWS_TOKEN_SESSION:
			return "session";
	}
	return "unknown";
}

static void
refuse_token(PawsTokenKind kind, int sqlstate, bool wrong_kind, bool wrong_length)
{
	ereport(ERROR,
			(errcode(sqlstate), errmsg("invalid %s token", paws_token_kind_name(kind)),
			 wrong_kind     ? errdetail("It is a token of another kind.")
			 : wrong_length ? errdetail("Its length is not that of a token.")
							: errdetail("It is not a token, or a character of it was changed."),
			 wrong_kind ? errhint("Pass a %s token where a %s is asked for; the kinds cannot be converted.",
								  paws_token_kind_name(kind), paws_token_kind_name(kind))
						: errhint("Pass the token exactly as it was handed out.")));
}

static Datum
read_text(const char *text, PawsTokenKind kind)
{
	PawsToken *token = palloc(sizeof(PawsToken));
	size_t length = strlen(text);
	bool wrong_kind;

	if (!paws_token_parse(text, length, kind, token, &wrong_kind))
		refuse_token(kind, ERRCODE_INVALID_TEXT_REPRESENTATION, wrong_kind, length != PAWS_TOKEN_TEXT_LENGTH);
	return PointerGetDatum(token);
}

static Datum
print_text(const PawsToken *token, PawsTokenKind kind)
{
	char *text = palloc(PAWS_TOKEN_TEXT_LENGTH + 1);

	paws_token_print(token, kind, text);
	return CStringGetDatum(text);
}

/* True if the wire form is a good token of any kind but this one. */
static bool
is_other_kind(const uint8_t *wire, size_t length, PawsTokenKind kind)
{
	static const PawsTokenKind kinds[] = {
		PAWS_TOKEN_SUBJECT,
		PAWS_TOKEN_DEVICE,
		PAWS_TOKEN_CONTEXT,
		PAWS_TOKEN_SESSION,
	};
	PawsToken ignored;

	for (size_t i = 0; i < lengthof(kinds); i++)
		if (kinds[i] != kind && paws_token_unpack(wire, length, kinds[i], &ignored))
			return true;
	return false;
}

static Datum
read_wire(StringInfo buffer, PawsTokenKind kind)
{
	PawsToken *token = palloc(sizeof(PawsToken));
	int length = buffer->len - buffer->cursor;
	const uint8_t *wire = (const uint8_t *) pq_getmsgbytes(buffer, length);

	if (!paws_token_unpack(wire, length, kind, token))
		refuse_token(kind, ERRCODE_INVALID_BINARY_REPRESENTATION, is_other_kind(wire, length, kind),
					 length != PAWS_TOKEN_WIRE_BYTES);
	return PointerGetDatum(token);
}

static Datum
print_wire(const PawsToken *token, PawsTokenKind kind)
{
	bytea *wire = palloc(VARHDRSZ + PAWS_TOKEN_WIRE_BYTES);

	SET_VARSIZE(wire, VARHDRSZ + PAWS_TOKEN_WIRE_BYTES);
	paws_token_pack(token, kind, (uint8_t *) VARDATA(wire));
	return PointerGetDatum(wire);
}

/* The four functions by which SQL reads and prints one kind. */
#define TOKEN_TYPE(name, kind)                                                                               \
	PG_FUNCTION_INFO_V1(paws_##name##_in);                                                                   \
	Datum paws_##name##_in(PG_FUNCTION_ARGS)                                                                 \
	{                                                                                                        \
		return read_text(PG_GETARG_CSTRING(0), kind);                                                        \
	}                                                                                                        \
	PG_FUNCTION_INFO_V1(paws_##name##_out);                                                                  \
	Datum paws_##name##_out(PG_FUNCTION_ARGS)                                                                \
	{                                                                                                        \
		return print_text(paws_datum_token(PG_GETARG_DATUM(0)), kind);                                       \
	}                                                                                                        \
	PG_FUNCTION_INFO_V1(paws_##name##_recv);                                                                 \
	Datum paws_##name##_recv(PG_FUNCTION_ARGS)                                                               \
	{                                                                                                        \
		return read_wire((StringInfo) PG_GETARG_POINTER(0), kind);                                           \
	}                                                                                                        \
	PG_FUNCTION_INFO_V1(paws_##name##_send);                                                                 \
	Datum paws_##name##_send(PG_FUNCTION_ARGS)                                                               \
	{                                                                                                        \
		return print_wire(paws_datum_token(PG_GETARG_DATUM(0)), kind);                                       \
	}

TOKEN_TYPE(subject, PAWS_TOKEN_SUBJECT)
TOKEN_TYPE(device, PAWS_TOKEN_DEVICE)
TOKEN_TYPE(context, PAWS_TOKEN_CONTEXT)

static int
compare(FunctionCallInfo fcinfo)
{
	return memcmp(PG_GETARG_POINTER(0), PG_GETARG_POINTER(1), PAWS_TOKEN_BYTES);
}

#define TOKEN_COMPARISON(name, op)                                                                           \
	PG_FUNCTION_INFO_V1(paws_token_##name);                                                                  \
	Datum paws_token_##name(PG_FUNCTION_ARGS)                                                                \
	{                                                                                                        \
		PG_RETURN_BOOL(compare(fcinfo) op 0);                                                                \
	}

TOKEN_COMPARISON(eq, ==)
TOKEN_COMPARISON(ne, !=)
TOKEN_COMPARISON(lt, <)
TOKEN_COMPARISON(le, <=)
TOKEN_COMPARISON(gt, >)
TOKEN_COMPARISON(ge, >=)

PG_FUNCTION_INFO_V1(paws_token_cmp);
Datum
paws_token_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare(fcinfo));
}

PG_FUNCTION_INFO_V1(paws_token_hash);
Datum
paws_token_hash(PG_FUNCTION_ARGS)
{
	return hash_any((const unsigned char *) PG_GETARG_POINTER(0), PAWS_TOKEN_BYTES);
}

PG_FUNCTION_INFO_V1(paws_token_hash_extended);
Datum
paws_token_hash_extended(PG_FUNCTION_ARGS)
{
	return hash_any_extended((const unsigned char *) PG_GETARG_POINTER(0), PAWS_TOKEN_BYTES,
							 PG_GETARG_INT64(1));
}
