/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/names.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* 0 is a free registry entry, 1 a removed one. */
enum { FIRST_KEY = 2 };

uint64_t name_key(const char *name)
{
	uint64_t key = XXH64(name, strlen(name), 0);

	return key < FIRST_KEY ? key + FIRST_KEY : key;
}

void endpoint_name(const struct image_ip *ip, uint8_t family, uint16_t port, char *out)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (family == FAMILY_V4) {
		inet_ntop(AF_INET, &ip->b[12], text, sizeof(text));
		snprintf(out, ENDPOINT_NAME_BYTES, "%.15s:%u", text, ntohs(port));
	} else {
		inet_ntop(AF_INET6, ip->b, text, sizeof(text));
		snprintf(out, ENDPOINT_NAME_BYTES, "[%.39s]:%u", text, ntohs(port));
	}
}

void endpoint_state_name(const char *cluster, const char *endpoint, char *out)
{
	snprintf(out, STATE_NAME_BYTES, "%.63s/%.47s", cluster, endpoint);
}

uint64_t endpoint_key(const char *cluster, const char *endpoint)
{
	char name[STATE_NAME_BYTES];

	endpoint_state_name(cluster, endpoint, name);
	return name_key(name);
}
