/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a packet to an address leaves: the routes of all interfaces of a policy. The longest
 * prefix wins, among equals the first interface.
 */
#ifndef FENDER_CONFIG_ROUTING_H
#define FENDER_CONFIG_ROUTING_H

#include "config/policy.h"

struct route {
	struct address to;
	struct address via; /* family 0: on-link */
	uint16_t interface;
	const struct yaml_node *node; /* address, gateway or route it comes from */
};

struct routing {
	const struct policy *policy;
	struct route *routes; /* sorted as in the image */
	size_t count;
};

/**
 * routing_build() - collect and sort the routes of a policy
 *
 * One on-link route for each network of an interface's addresses (none for a host's prefix),
 * the policy's routes, and a default route for each gateway. A destination that one interface
 * has twice is kept once; policy_check() reports it.
 * Return: 0, -ENOMEM.
 */
int routing_build(struct routing *routing, const struct policy *policy, struct arena *arena);

/*
 * The route to @to, NULL when there is none. @rival receives the first route of another
 * interface with the same prefix length, or NULL.
 */
const struct route *routing_find(const struct routing *routing, const struct address *to,
				 const struct route **rival);

/* Is @to on the link of this interface by any of its on-link routes? */
bool routing_on_link(const struct routing *routing, uint32_t interface, const struct address *to);

/*
 * Our address on @interface to send from towards @to by @next_hop: the one whose network holds
 * the next hop, longest prefix first, else the first of the family. A link-local address serves
 * link-local destinations only. NULL when there is none.
 */
const struct address *routing_source(const struct policy_interface *interface,
				     const struct address *to, const struct address *next_hop);

#endif
