/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/shard.h"

#include "dataplane/conn/lent.h"
#include "shm/owner.h"

#include <endian.h>
#include <string.h>

uint32_t shard_client_bucket(const struct flow_key *key)
{
	uint8_t ip[16];

	if (key->k.family == FAMILY_V4) {
		memset(ip, 0, 12);
		memcpy(ip + 12, &key->k.src, 4);
	} else {
		memcpy(ip, key->src6, 16);
	}
	return owner_client_bucket(ip, key->k.sport, key->k.proto);
}

int shard_is_snat_port(const struct image_header *image, uint8_t interface, uint16_t port)
{
	const struct image_interface *i =
		IMAGE_ARRAY(image, struct image_interface, interfaces) + interface;
	uint16_t host = be16toh(port);

	return host >= i->snat_port_low && host <= i->snat_port_high;
}

enum { NOT_OURS = -1 };

/* The position of the address that the packet is sent to, if it is one that serves for SNAT. */
static int own_address(const struct image_header *image, uint8_t interface,
		       const struct flow_key *key)
{
	const struct image_address *a = IMAGE_ARRAY(image, struct image_address, addresses);

	for (uint32_t i = 0; i < image->addresses.count; i++) {
		if (a[i].interface != interface || a[i].family != key->k.family ||
		    (a[i].flags & ADDRESS_KERNEL))
			continue;
		if (key->k.family == FAMILY_V4 ? memcmp(&a[i].ip.b[12], &key->k.dst, 4) == 0
					       : memcmp(a[i].ip.b, key->dst6, 16) == 0)
			return (int)i;
	}
	return NOT_OURS;
}

/* As own_address(), of a reverse packet. */
static int snat_address(const struct image_header *image, uint8_t interface,
			const struct flow_key *key)
{
	return shard_is_snat_port(image, interface, key->k.dport)
		       ? own_address(image, interface, key)
		       : NOT_OURS;
}

static uint32_t port_bucket(const struct flow_key *key)
{
	return be16toh(key->k.dport) % OWNER_BUCKETS;
}

uint32_t shard_bucket(const struct image_header *image, uint8_t interface,
		      const struct flow_key *key)
{
	return snat_address(image, interface, key) != NOT_OURS ? port_bucket(key)
							       : shard_client_bucket(key);
}

uint32_t shard_owner(const uint8_t *owners, const struct lent_ports *lent,
		     const struct image_header *image, uint8_t interface,
		     const struct flow_key *key)
{
	const int address = snat_address(image, interface, key);
	uint8_t worker;

	if (address == NOT_OURS)
		return owners[shard_client_bucket(key)];
	if (__builtin_expect(lent != NULL, 0)) {
		worker = lent_ports_worker(lent, key->k.proto == PROTO_UDP, (uint32_t)address,
					   be16toh(key->k.dport));
		if (worker != LENT_TO_NOBODY)
			return worker;
	}
	return owners[port_bucket(key)];
}

void shard_owners(uint8_t owners[], uint32_t workers)
{
	for (uint32_t i = 0; i < OWNER_BUCKETS; i++)
		owners[i] = (uint8_t)owner_of_bucket(i, workers);
}
