/*
 * api/items_json.c - reading operations from jsonb.
 */
#include "postgres.h"

#include "api/items.h"
#include "api/base64.h"
#include "api/items_limit.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

/* Which keys an object had. */
#define KEY_OP_ID         0x01
#define KEY_COLLECTION    0x02
#define KEY_DOC_ID        0x04
#define KEY_BASE_REVISION 0x08
#define KEY_PAYLOAD       0x10
#define KEYS_REQUIRED     (KEY_OP_ID | KEY_COLLECTION | KEY_DOC_ID | KEY_BASE_REVISION)

/* The longest base_revision that is a bigint for sure. */
#define DIGITS_MAX 18

static bool
key_is(const JsonbValue *key, const char *name)
{
	return key->val.string.len == (int) strlen(name) &&
		   memcmp(key->val.string.val, name, key->val.string.len) == 0;
}

/* 8-4-4-4-12 hexadecimal digits, either case. */
static bool
read_uuid(const JsonbValue *value, pg_uuid_t *uuid)
{
	const char *text = value->val.string.val;
	int digits = 0;

	if (value->type != jbvString || value->val.string.len != 36)
		return false;
	for (int i = 0; i < 36; i++)
	{
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		int digit = text[i] >= '0' && text[i] <= '9'   ? text[i] - '0'
					: text[i] >= 'a' && text[i] <= 'f' ? text[i] - 'a' + 10
					: text[i] >= 'A' && text[i] <= 'F' ? text[i] - 'A' + 10
													   : -1;

		if (dash != (text[i] == '-') || (!dash && digit < 0))
			return false;
		if (dash)
			continue;
		if (digits % 2 == 0)
			uuid->data[digits / 2] = (unsigned char) (digit << 4);
		else
			uuid->data[digits / 2] |= (unsigned char) digit;
		digits++;
	}
	return true;
}

/* Looked at before it is printed: a few bytes of numeric may stand for a hundred thousand digits. */
static bool
is_small(Numeric number)
{
	Datum value = NumericGetDatum(number);

	return DatumGetBool(DirectFunctionCall2(numeric_ge, value, NumericGetDatum(int64_to_numeric(0)))) &&
		   DatumGetBool(
			   DirectFunctionCall2(numeric_lt, value,
								   NumericGetDatum(int64_to_numeric(INT64CONST(1000000000000000000)))));
}

static bool
read_revision(const JsonbValue *value, int64 *revision)
{
	char *text;
	Size length;

	if (value->type != jbvNumeric || !is_small(value->val.numeric))
		return false;
	text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	length = strlen(text);
	if (length > DIGITS_MAX || strspn(text, "0123456789") != length)
		return false;
	*revision = strtoll(text, NULL, 10);
	return true;
}

static bool
read_payload(const JsonbValue *value, PawsItem *item)
{
	uint8 *bytes;
	size_t length;

	if (value->type != jbvString)
		return false;
	bytes = palloc(value->val.string.len + 1);
	if (!paws_base64_decode(value->val.string.val, value->val.string.len, bytes, &length))
		return false;
	item->payload = bytes;
	item->payload_length = length;
	return true;
}

/* One member of the object; false if it is unknown or of the wrong kind. */
static bool
read_member(const JsonbValue *key, const JsonbValue *value, PawsItem *item, int *seen)
{
	if (key_is(key, "op_id"))
	{
		*seen |= KEY_OP_ID;
		return item->has_op_id = read_uuid(value, &item->op_id);
	}
	if (key_is(key, "doc_id"))
	{
		*seen |= KEY_DOC_ID;
		return read_uuid(value, &item->doc_id);
	}
	if (key_is(key, "collection"))
	{
		*seen |= KEY_COLLECTION;
		item->collection_name = value->val.string.val;
		item->collection_length = value->val.string.len;
		return value->type == jbvString;
	}
	if (key_is(key, "base_revision"))
	{
		*seen |= KEY_BASE_REVISION;
		return read_revision(value, &item->base_revision);
	}
	if (key_is(key, "payload"))
	{
		if (value->type == jbvNull)
			return true;
		*seen |= KEY_PAYLOAD;
		return read_payload(value, item);
	}
	if (key_is(key, "deleted"))
	{
		item->deleted = value->type == jbvBool && value->val.boolean;
		return value->type == jbvBool;
	}
	/* the device's own clock is never trusted nor stored; the key is taken so that devices need not strip it
	 */
	return key_is(key, "client_time") && (value->type == jbvString || value->type == jbvNumeric);
}

/* The object's members are read to the end even if one is bad: the answer should carry the op_id wherever it
 * stands. */
static void
read_object(JsonbContainer *object, PawsItem *item)
{
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue key;
	JsonbValue value;
	int seen = 0;
	bool good = true;

	(void) JsonbIteratorNext(&iterator, &key, true);
	while ((token = JsonbIteratorNext(&iterator, &key, true)) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&iterator, &value, true);
		good = read_member(&key, &value, item, &seen) && good;
	}
	good = good && (seen & KEYS_REQUIRED) == KEYS_REQUIRED;
	/* a change has a payload, a deletion may have an empty one */
	if (item->deleted ? item->payload_length > 0 : !(seen & KEY_PAYLOAD))
		good = false;
	if (!good)
		paws_item_reject(item, PAWS_REASON_MALFORMED);
}

PawsItem *
paws_items_from_json(Jsonb *operations, int *count)
{
	PawsItem *items;

	if (!JB_ROOT_IS_ARRAY(operations) || JB_ROOT_IS_SCALAR(operations))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("operations are not a JSON array"),
				 errhint(
					 "Pass an array of objects with op_id, collection, doc_id, base_revision and payload.")));
	*count = JB_ROOT_COUNT(operations);
	paws_items_limit(*count);
	items = palloc0(Max(*count, 1) * sizeof(PawsItem));
	for (int i = 0; i < *count; i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(&operations->root, i);

		if (element->type == jbvBinary && JsonContainerIsObject(element->val.binary.data))
			read_object(element->val.binary.data, &items[i]);
		else
			paws_item_reject(&items[i], PAWS_REASON_MALFORMED);
	}
	return items;
}
