/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection table of a dataplane that is gone, carried on by its successor. What lies in the
 * entries is not trusted: an entry that contradicts itself, the policy or the sizes of the region
 * is dropped, and everything that can be derived is derived anew (index, lists, wheel, checksum
 * deltas, next hops, SNAT ports in use). States are stored last, so an entry that was half
 * made is free.
 *
 * A port that belongs to another worker's bucket is borrowed (conn/lent.h): the connection's own
 * worker is its client's.
 *
 * Carried on: SYN_SENT to CLOSING, resting entries and tombstones (their ports must rest). Ended:
 * waiting calls; the client's next SYN starts them again. What was learnt about a call without a
 * verdict would be about the pause, so it feeds no breaker, estimate or statistics any more.
 */
#ifndef FENDER_DATAPLANE_CONN_ADOPT_H
#define FENDER_DATAPLANE_CONN_ADOPT_H

#include "dataplane/conn/snat_ports.h"
#include "dataplane/conn/table.h"

struct image_header;
struct lent_ports;

/* The worker that takes the entries over. */
struct conn_heir {
	const struct image_header *image;
	const uint8_t *owners; /* bucket -> worker */
	uint32_t worker;
	struct snat_ports **snat[2]; /* [tcp, udp][address]: all free before */
	uint32_t snat_addresses;
	/* Of all workers, [tcp, udp][worker][address], to borrow ports from; NULL: nobody lends. */
	struct snat_ports ***others[2];
	struct lent_ports *lent;
	uint32_t listener_slots;
	uint32_t cluster_slots;
	uint32_t endpoint_slots;
	uint64_t now_ns;
	/* Told of each entry that is carried on, indexed and on no list; may set its deadline. */
	void (*carry_on)(void *ctx, struct conn *c);
	void *ctx;
};

struct conn_adopted {
	uint32_t open;       /* connections and flows */
	uint32_t resting;    /* resting entries and tombstones */
	uint32_t waiting;    /* calls without an attempt, ended */
	uint32_t unreadable; /* entries that made no sense */
	uint32_t lent;       /* ports, set by inherit_connections() */
};

/**
 * conn_table_adopt() - fill a table from its entries
 * @t: from conn_table_open()
 *
 * Before the owner runs. Doing it again changes nothing more. O(capacity), one allocation (12
 * bytes a resting entry) for the time of the call. Return: 0 or -ENOMEM.
 */
int conn_table_adopt(struct conn_table *t, const struct conn_heir *heir, struct conn_adopted *out);

#endif
