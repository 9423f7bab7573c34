/*
 * fields.c - see fields.h.
 */
#include "fields.h"

#include <string.h>

static const Prime130 prime = {{UINT64_C(0xfffffffffffffffb), UINT64_C(0xffffffffffffffff), 3}};

static bool
at_least(Prime130 a, Prime130 b)
{
	for (int i = 2; i >= 0; i--)
		if (a.word[i] != b.word[i])
			return a.word[i] > b.word[i];
	return true;
}

/* a - b, a being at least b. */
static Prime130
difference(Prime130 a, Prime130 b)
{
	uint64_t borrow = 0;

	for (int i = 0; i < 3; i++)
	{
		uint64_t before = a.word[i];
		uint64_t taken = b.word[i] + borrow;

		borrow = (taken < borrow) || (before < taken);
		a.word[i] = before - taken;
	}
	return a;
}

Prime130
prime130_add(Prime130 a, Prime130 b)
{
	uint64_t carry = 0;

	for (int i = 0; i < 3; i++)
	{
		uint64_t sum = a.word[i] + carry;

		carry = sum < carry;
		sum += b.word[i];
		carry += sum < b.word[i];
		a.word[i] = sum;
	}
	return at_least(a, prime) ? difference(a, prime) : a;
}

Prime130
prime130_subtract(Prime130 a, Prime130 b)
{
	return prime130_add(a, difference(prime, b));
}

Prime130
prime130_multiply(Prime130 a, Prime130 b)
{
	Prime130 product = {{0, 0, 0}};

	for (int bit = 129; bit >= 0; bit--)
	{
		product = prime130_add(product, product);
		if ((a.word[bit / 64] >> (bit % 64)) & 1)
			product = prime130_add(product, b);
	}
	return product;
}

/* a^(p-2), by Fermat. */
Prime130
prime130_invert(Prime130 a)
{
	Prime130 exponent = difference(prime, (Prime130){{2, 0, 0}});
	Prime130 result = {{1, 0, 0}};

	for (int bit = 129; bit >= 0; bit--)
	{
		result = prime130_multiply(result, result);
		if ((exponent.word[bit / 64] >> (bit % 64)) & 1)
			result = prime130_multiply(result, a);
	}
	return result;
}

Prime130
prime130_from(const uint8_t *bytes, size_t length)
{
	Prime130 number = {{0, 0, 0}};

	for (size_t i = length; i > 0; i--)
	{
		for (int doubling = 0; doubling < 8; doubling++)
			number = prime130_add(number, number);
		number = prime130_add(number, (Prime130){{bytes[i - 1], 0, 0}});
	}
	return number;
}

Prime130
prime130_power2(int exponent)
{
	Prime130 number = {{1, 0, 0}};

	while (exponent-- > 0)
		number = prime130_add(number, number);
	return number;
}

bool
prime130_to16(Prime130 a, uint8_t bytes[16])
{
	for (int i = 0; i < 16; i++)
		bytes[i] = (uint8_t) (a.word[i / 8] >> (8 * (i % 8)));
	return a.word[2] == 0;
}

Gf128
gf128_from(const uint8_t bytes[16])
{
	Gf128 element;

	memcpy(element.byte, bytes, sizeof(element.byte));
	return element;
}

Gf128
gf128_add(Gf128 a, Gf128 b)
{
	for (int i = 0; i < 16; i++)
		a.byte[i] ^= b.byte[i];
	return a;
}

/* Times the second bit's element: one shift to the right, with the polynomial put back in. */
static Gf128
shifted(Gf128 a)
{
	bool out = a.byte[15] & 1;

	for (int i = 15; i > 0; i--)
		a.byte[i] = (uint8_t) ((a.byte[i] >> 1) | (a.byte[i - 1] << 7));
	a.byte[0] >>= 1;
	if (out)
		a.byte[0] ^= 0xe1;
	return a;
}

Gf128
gf128_multiply(Gf128 a, Gf128 b)
{
	Gf128 product = {{0}};

	for (int bit = 0; bit < 128; bit++)
	{
		if ((a.byte[bit / 8] >> (7 - bit % 8)) & 1)
			product = gf128_add(product, b);
		b = shifted(b);
	}
	return product;
}

/* a^(2^128 - 2): the product of a^(2^i) for i from 1 to 127. */
Gf128
gf128_invert(Gf128 a)
{
	Gf128 power = gf128_multiply(a, a);
	Gf128 result = power;

	for (int i = 2; i < 128; i++)
	{
		power = gf128_multiply(power, power);
		result = gf128_multiply(result, power);
	}
	return result;
}

/* a^(2^127), since squaring 128 times gives a back. */
Gf128
gf128_root(Gf128 a)
{
	for (int i = 0; i < 127; i++)
		a = gf128_multiply(a, a);
	return a;
}
