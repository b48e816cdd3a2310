/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups in the adopted image: our addresses, listeners, routes. Pure. */
#ifndef FENDER_DATAPLANE_NET_ROUTE_H
#define FENDER_DATAPLANE_NET_ROUTE_H

#include "shm/image.h"

/**
 * route_next_hop() - where a packet to @to leaves @interface
 * @next_hop: receives @to itself when on-link, else the gateway
 * Return: 0, -ENETUNREACH.
 */
int route_next_hop(const struct image_header *img, uint8_t interface, uint8_t family,
		   const uint8_t to[16], uint8_t next_hop[16]);

/* Our address on @interface to send from towards @to (the one sharing its prefix, else the first).
 */
const struct image_address *route_source(const struct image_header *img, uint8_t interface,
					 uint8_t family, const uint8_t to[16]);

/* Is @ip one of our addresses on @interface, or a listener's address there (answer ARP, ND, ping)?
 */
int route_is_ours(const struct image_header *img, uint8_t interface, uint8_t family,
		  const uint8_t ip[16]);

/*
 * The listener a client's packet is for: exact address first, then the wildcard (which covers the
 * interface's own addresses only). @port in network order. NULL when there is none.
 */
const struct image_listener *route_listener(const struct image_header *img, uint8_t interface,
					    uint8_t proto, uint8_t family, const uint8_t ip[16],
					    uint16_t port);

#endif
