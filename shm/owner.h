/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which worker owns a connection by its client. It decides in whose part of the region's table the
 * connection lies, so it is part of the ABI.
 */
#ifndef FENDER_SHM_OWNER_H
#define FENDER_SHM_OWNER_H

#include <stdint.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "shm/limits.h"

/**
 * owner_client_bucket() - bucket 0..OWNER_BUCKETS-1 of a client
 * @ip: 16 bytes; of IPv4 the last four, zeros before them
 * @sport: as on the wire
 */
static inline uint32_t owner_client_bucket(const uint8_t ip[16], uint16_t sport, uint8_t proto)
{
	uint8_t bytes[19];

	memcpy(bytes, ip, 16);
	memcpy(bytes + 16, &sport, 2);
	bytes[18] = proto;
	return (uint32_t)(XXH3_64bits(bytes, sizeof(bytes)) % OWNER_BUCKETS);
}

/* The worker that a bucket belongs to, of @workers. */
static inline uint32_t owner_of_bucket(uint32_t bucket, uint32_t workers)
{
	return bucket % workers;
}

#endif
