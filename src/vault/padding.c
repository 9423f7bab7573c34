/*
 * vault/padding.c - hiding the length of payloads in few buckets. Pure C.
 */
#include "vault/padding.h"

#include <string.h>

#include "vault/bytes.h"

/* The number of the highest bit that is set; value > 0. */
static unsigned
high_bit(size_t value)
{
	unsigned bit = 0;

	while (value >>= 1)
		bit++;
	return bit;
}

/*
 * A bucket's length, written in binary, has at most as many significant digits as its exponent takes to
 * write: what shows of a length is its order of magnitude and a few bits.
 */
size_t
paws_padded_length(size_t length)
{
	unsigned exponent;
	size_t mask;

	if (length <= PAWS_PADDING_MIN)
		return PAWS_PADDING_MIN;
	exponent = high_bit(length);
	mask = ((size_t) 1 << (exponent - (high_bit(exponent) + 1))) - 1;
	return (length + mask) & ~mask;
}

void
paws_padding_write(uint8_t *out, PawsCodec codec, const uint8_t *stored, size_t length)
{
	size_t used = PAWS_PADDING_HEADER_BYTES + length;

	out[0] = (uint8_t) codec;
	paws_put32(out + 1, (uint32_t) length);
	if (length > 0)
		memcpy(out + PAWS_PADDING_HEADER_BYTES, stored, length);
	memset(out + used, 0, paws_padded_length(used) - used);
}

bool
paws_padding_read(const uint8_t *padded, size_t length, PawsCodec *codec, size_t *stored_length)
{
	size_t claimed;
	uint8_t filling = 0;

	if (length < PAWS_PADDING_MIN || padded[0] > PAWS_CODEC_ZSTD)
		return false;
	claimed = paws_get32(padded + 1);
	if (claimed > length - PAWS_PADDING_HEADER_BYTES ||
		paws_padded_length(PAWS_PADDING_HEADER_BYTES + claimed) != length)
		return false;
	for (size_t i = PAWS_PADDING_HEADER_BYTES + claimed; i < length; i++)
		filling |= padded[i];
	if (filling != 0)
		return false;
	*codec = (PawsCodec) padded[0];
	*stored_length = claimed;
	return true;
}
