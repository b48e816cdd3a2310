/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SNAT ports whose connections another worker carries on than the one their bucket belongs to.
 *
 * With another number of workers a client's bucket and its connection's port's may have different
 * owners. The connection goes to its client's, and the port is lent to that worker: found in this
 * table by whoever receives a packet to it. The bucket's owner never deals a lent port until the
 * next start. Made at the start; read only while workers run.
 */
#ifndef FENDER_DATAPLANE_CONN_LENT_H
#define FENDER_DATAPLANE_CONN_LENT_H

#include <stdint.h>

#include "dataplane/conn/snat_ports.h"
#include "shm/conn.h"
#include "shm/limits.h"

enum { LENT_PORTS = 65536, LENT_TO_NOBODY = 0xff };

struct lent_ports {
	uint8_t *worker[2][MAX_ADDRESSES]; /* [tcp, udp][address][port in host order]; NULL: none */
	uint32_t count;
};

void lent_ports_free(struct lent_ports *l);

/**
 * lent_ports_borrow() - the port of an inherited connection goes to @worker
 * @owner: the ports of the worker that its bucket belongs to
 * At the start only; takes 64 KiB with the first port of an address and protocol.
 * Return: 0; -EBUSY it serves a connection of somebody else; -ENOMEM.
 */
int lent_ports_borrow(struct lent_ports *l, struct snat_ports *owner, const struct conn *c,
		      uint8_t worker);

/* Who has @port (host order), or LENT_TO_NOBODY. */
static inline uint8_t lent_ports_worker(const struct lent_ports *l, int udp, uint32_t address,
					uint16_t port)
{
	const uint8_t *of = l->worker[udp][address];

	return of ? of[port] : LENT_TO_NOBODY;
}

#endif
