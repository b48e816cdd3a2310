/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The internet checksum (RFC 1071) and its incremental form (RFC 1624).
 *
 * A "sum" is an unfolded ones' complement sum in 64 bits of the data's 16-bit words as
 * they lie in memory, so that a folded sum is in network order on any machine. Sums are
 * added with +. At most 2^32 terms of 32 bits fit, far more than a packet has.
 *
 * Ones' complement has two zeros. A folded sum of anything but zeros is 1..0xffff, so a
 * computed checksum is 0..0xfffe; incremental updates of such a checksum give the very
 * number a full computation would. For UDP, where 0 says "none", 0 becomes 0xffff.
 */
#ifndef FENDER_DATAPLANE_PKT_CHECKSUM_H
#define FENDER_DATAPLANE_PKT_CHECKSUM_H

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Sum of @bytes bytes at @data; an odd last byte is padded with zero (RFC 1071). */
uint64_t checksum_sum(const void *data, size_t bytes);

static inline uint32_t checksum_load32(const void *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

/* Sums of fixed, short data: straight-line code. */
static inline uint64_t checksum_sum16(const void *data)
{
	const uint8_t *at = data;

	return (uint64_t)checksum_load32(at) + checksum_load32(at + 4) + checksum_load32(at + 8) +
	       checksum_load32(at + 12);
}

static inline uint64_t checksum_sum20(const void *data)
{
	return checksum_sum16(data) + checksum_load32((const uint8_t *)data + 16);
}

/*
 * Fold to 16 bits. Adding a word to itself with its halves swapped leaves the end-around
 * sum of the halves in the upper one: the lower half's carry is exactly what wraps.
 */
static inline uint16_t checksum_fold(uint64_t sum)
{
	uint32_t half;

	sum += sum << 32 | sum >> 32;
	half = (uint32_t)(sum >> 32);
	half += half << 16 | half >> 16;
	return (uint16_t)(half >> 16);
}

/* What goes into the header. */
static inline uint16_t checksum_finish(uint64_t sum)
{
	return (uint16_t)~checksum_fold(sum);
}

static inline uint16_t checksum_finish_udp(uint64_t sum)
{
	uint16_t check = checksum_finish(sum);

	return check ? check : 0xffff;
}

/* RFC 1624 equation 3. @delta: folded or short sum of ~old + new over the changed words. */
static inline uint16_t checksum_update(uint16_t check, uint32_t delta)
{
	uint32_t sum = (uint16_t)~check + delta;

	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return (uint16_t)~sum;
}

/* The same for UDP; the caller leaves 0 ("none") alone. */
static inline uint16_t checksum_update_udp(uint16_t check, uint32_t delta)
{
	uint16_t updated = checksum_update(check, delta);

	return updated ? updated : 0xffff;
}

/* Pseudo headers (RFC 9293 3.1, RFC 768, RFC 8200 8.1). @bytes: length of header and data. */
static inline uint64_t checksum_pseudo4(uint32_t src, uint32_t dst, uint8_t proto, uint16_t bytes)
{
	return (uint64_t)src + dst + htons(proto) + htons(bytes);
}

static inline uint64_t checksum_pseudo6(const uint8_t src[16], const uint8_t dst[16], uint8_t proto,
					uint16_t bytes)
{
	return checksum_sum16(src) + checksum_sum16(dst) + htons(proto) + htons(bytes);
}

#endif
