/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/shard.h"

#include <endian.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint32_t shard_client_bucket(const struct flow_key *key)
{
	uint8_t bytes[19];

	if (key->k.family == FAMILY_V4) {
		memset(bytes, 0, 12);
		memcpy(bytes + 12, &key->k.src, 4);
	} else {
		memcpy(bytes, key->src6, 16);
	}
	memcpy(bytes + 16, &key->k.sport, 2);
	bytes[18] = key->k.proto;
	return (uint32_t)(XXH3_64bits(bytes, sizeof(bytes)) % OWNER_BUCKETS);
}

int shard_is_snat_port(const struct image_header *image, uint8_t interface, uint16_t port)
{
	const struct image_interface *i =
		IMAGE_ARRAY(image, struct image_interface, interfaces) + interface;
	uint16_t host = be16toh(port);

	return host >= i->snat_port_low && host <= i->snat_port_high;
}

static int is_own_address(const struct image_header *image, uint8_t interface,
			  const struct flow_key *key)
{
	const struct image_address *a = IMAGE_ARRAY(image, struct image_address, addresses);

	for (uint32_t i = 0; i < image->addresses.count; i++) {
		if (a[i].interface != interface || a[i].family != key->k.family ||
		    (a[i].flags & ADDRESS_KERNEL))
			continue;
		if (key->k.family == FAMILY_V4 ? memcmp(&a[i].ip.b[12], &key->k.dst, 4) == 0
					       : memcmp(a[i].ip.b, key->dst6, 16) == 0)
			return 1;
	}
	return 0;
}

uint32_t shard_bucket(const struct image_header *image, uint8_t interface,
		      const struct flow_key *key)
{
	if (shard_is_snat_port(image, interface, key->k.dport) &&
	    is_own_address(image, interface, key))
		return be16toh(key->k.dport) % OWNER_BUCKETS;
	return shard_client_bucket(key);
}

void shard_owners(uint8_t owners[], uint32_t workers)
{
	for (uint32_t i = 0; i < OWNER_BUCKETS; i++)
		owners[i] = (uint8_t)(i % workers);
}
