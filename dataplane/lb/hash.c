/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/lb/candidates.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t lb_hash(const struct flow_key *client, uint8_t hash_on)
{
	uint8_t bytes[18];
	size_t n = 0;

	if (hash_on & HASH_ON_SOURCE_IP) {
		struct image_ip source = flow_source(client);

		memcpy(bytes, source.b, 16);
		n = 16;
	}
	if (hash_on & HASH_ON_SOURCE_PORT) {
		memcpy(bytes + n, &client->k.sport, 2);
		n += 2;
	}
	return XXH64(bytes, n, 0);
}
