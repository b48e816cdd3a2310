/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of the connection table as JSON, while the workers change it: an entry is copied, and the
 * copy is used when it was the same connection before and after. Its counters and times may be of
 * instants a few nanoseconds apart. Any thread.
 */
#ifndef FENDER_CONTROLPLANE_CONNECTIONS_JSON_H
#define FENDER_CONTROLPLANE_CONNECTIONS_JSON_H

#include <stdint.h>

#include "controlplane/json_text.h"
#include "shm/image.h"
#include "shm/names.h"
#include "shm/region.h"

enum {
	CONNECTIONS_ROWS_DEFAULT = 1000,
	CONNECTIONS_ROWS_MAX = 10000,
	CONNECTIONS_SCAN_MAX = 256 * 1024, /* entries looked at for one answer: a few ms */
	CONNECTIONS_ANY_SLOT = 0xffffffff,
};

struct connections_filter {
	uint32_t listener; /* slots of the registries, or CONNECTIONS_ANY_SLOT */
	uint32_t cluster;
	uint32_t states;                    /* bit i: enum conn_state i */
	char endpoint[ENDPOINT_NAME_BYTES]; /* as endpoint_name() writes it; "": any */
	char client[ENDPOINT_NAME_BYTES];
	char client_ip[ENDPOINT_NAME_BYTES]; /* with any port, as "10.0.0.1:" or "[::1]:" */
};

/* What idle times are measured by, of each cluster; by slot. NULL: idle times are not told. */
struct connections_look {
	const struct region *region;
	const struct image_timeouts *timeouts; /* [cluster slots]; all zero: not known */
	uint64_t now_ns;
};

/* Bits of the states that are no rest of something that is over. */
uint32_t connections_live_states(void);
/* Bit of "established", all bits of "all"; 0: there is no such state. */
uint32_t connections_states(const char *name);

/**
 * connections_filter_client() - "10.0.0.1", "10.0.0.1:4711", "2001:db8::1", "[2001:db8::1]:4711"
 * Return: 0, -EINVAL.
 */
int connections_filter_client(struct connections_filter *filter, const char *text);
/* "10.0.0.1:80", "[2001:db8::1]:80" in any way of writing it. Return 0, -EINVAL. */
int connections_filter_endpoint(struct connections_filter *filter, const char *text);

/**
 * connections_write() - an object with the rows from entry number *@cursor on
 * @limit: of rows
 *
 * Ends after @limit rows or CONNECTIONS_SCAN_MAX entries; "next" is where to go on, null at the
 * end of the table.
 */
void connections_write(struct json_text *text, const struct connections_look *look,
		       const struct connections_filter *filter, uint64_t cursor, uint64_t limit);

/* What a packet is told by: ports in network order, for IPv6 the addresses in src6 and dst6. */
struct connections_packet {
	struct conn_key key; /* family, proto, interface, ports, IPv4 addresses */
	uint8_t src6[16];
	uint8_t dst6[16];
};

struct connections_found {
	json_t *row;    /* new; NULL: there is none */
	uint32_t entry; /* of its worker's */
	uint8_t to_client;
};

/* The connection of @worker that such a packet belongs to, sent by its client or its endpoint. */
struct connections_found connections_find(const struct connections_look *look, uint32_t worker,
					  const struct connections_packet *packet);

#endif
