/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/crc32c.h"

#include <string.h>

#ifdef __SSE4_2__
#include <nmmintrin.h>
#endif

#define POLYNOMIAL 0x82f63b78u /* reflected */

/* The CRC of each value of four bits. */
#define BIT(crc)    (((crc) >> 1) ^ (((crc)&1) ? POLYNOMIAL : 0))
#define NIBBLE(crc) BIT(BIT(BIT(BIT((uint32_t)(crc)))))

static const uint32_t nibbles[16] = {
	NIBBLE(0),  NIBBLE(1),  NIBBLE(2),  NIBBLE(3),  NIBBLE(4),  NIBBLE(5),
	NIBBLE(6),  NIBBLE(7),  NIBBLE(8),  NIBBLE(9),  NIBBLE(10), NIBBLE(11),
	NIBBLE(12), NIBBLE(13), NIBBLE(14), NIBBLE(15),
};

uint32_t crc32c_portable(uint32_t crc, const void *data, size_t bytes)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (size_t i = 0; i < bytes; i++) {
		crc ^= p[i];
		crc = (crc >> 4) ^ nibbles[crc & 15];
		crc = (crc >> 4) ^ nibbles[crc & 15];
	}
	return ~crc;
}

#if defined(__SSE4_2__) && defined(__x86_64__)
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
	const uint8_t *p = data;
	uint64_t state = ~crc;
	uint64_t word;

	for (; bytes >= sizeof(word); bytes -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		state = _mm_crc32_u64(state, word);
	}
	for (; bytes; bytes--)
		state = _mm_crc32_u8((uint32_t)state, *p++);
	return ~(uint32_t)state;
}
#else
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
	return crc32c_portable(crc, data, bytes);
}
#endif
