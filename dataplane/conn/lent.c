/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/lent.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/image.h"

void lent_ports_free(struct lent_ports *l)
{
	for (int udp = 0; udp < 2; udp++)
		for (uint32_t i = 0; i < MAX_ADDRESSES; i++)
			free(l->worker[udp][i]);
	*l = (struct lent_ports){0};
}

static uint8_t *table_of(struct lent_ports *l, int udp, uint32_t address)
{
	uint8_t **table = &l->worker[udp][address];

	if (!*table) {
		*table = malloc(LENT_PORTS);
		if (*table)
			memset(*table, LENT_TO_NOBODY, LENT_PORTS);
	}
	return *table;
}

int lent_ports_borrow(struct lent_ports *l, struct snat_ports *owner, const struct conn *c,
		      uint8_t worker)
{
	const uint16_t port = be16toh(c->rev.dport);
	uint8_t *table = table_of(l, c->rev.proto == PROTO_UDP, c->snat_address);

	if (!table)
		return -ENOMEM;
	/* A port may serve several endpoints. */
	if (table[port] == worker)
		return 0;
	if (table[port] != LENT_TO_NOBODY || snat_ports_lend(owner, port))
		return -EBUSY;
	table[port] = worker;
	l->count++;
	return 0;
}
