/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SNAT ports of one worker, one address and one protocol. A worker deals only
 * ports of its own buckets (port % OWNER_BUCKETS). Free ports wait in a FIFO, so the least
 * recently used is dealt first. When none is free, a port in use is shared with
 * another endpoint: uniqueness is per (proto, address, port, endpoint), which the
 * caller checks against the connection table.
 */
#ifndef FENDER_DATAPLANE_CONN_SNAT_PORTS_H
#define FENDER_DATAPLANE_CONN_SNAT_PORTS_H

#include <stdint.h>

struct snat_ports;

/**
 * snat_ports_create() - all ports low..high whose bucket belongs to a worker
 * @low, @high: host order, inclusive
 * @owners: OWNER_BUCKETS bytes: worker of each bucket
 * @seed: of the random order in which they are dealt first
 * Takes 6 bytes a port of ours. Port 0 is never dealt. At start only.
 * Return: NULL without memory. A range without a port of ours is legal (every deal fails).
 */
struct snat_ports *snat_ports_create(uint16_t low, uint16_t high, const uint8_t *owners,
				     uint8_t worker, uint64_t seed);
void snat_ports_destroy(struct snat_ports *s);

enum { SNAT_SHARE_TRIES = 16 };

/**
 * snat_ports_deal() - choose a port, one use of it
 *
 * O(1) while ports are free; the least recently used is dealt. Then a cursor walks over the
 * ports in use, from call to call.
 * @taken: asks the connection table whether (port, endpoint) is in use; may be called up to
 *         SNAT_SHARE_TRIES times when ports must be shared, never for a free one
 * Return: port in host order, 0 when none.
 */
uint16_t snat_ports_deal(struct snat_ports *s, int (*taken)(void *ctx, uint16_t port), void *ctx);

/*
 * Take a certain port, free or in use (rebuilding after a restart). O(1). Return 0, or -1 when it
 * is not ours or has as many uses as can be counted.
 */
int snat_ports_take(struct snat_ports *s, uint16_t port);

/*
 * Give one use back; the last use puts the port at the FIFO's tail. Return 1: that was the last. A
 * port of another worker's (conn/lent.h) stays where it is.
 */
int snat_ports_return(struct snat_ports *s, uint16_t port);

/*
 * Give a free port away for good: it is never dealt, shared or taken again. After a restart with
 * another number of workers it goes on with whom conn/lent.h says. Return 0, or -1 when it is not
 * ours or in use.
 */
int snat_ports_lend(struct snat_ports *s, uint16_t port);

uint32_t snat_ports_free_count(const struct snat_ports *s);

#endif
