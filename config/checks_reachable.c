/* SPDX-License-Identifier: Apache-2.0 */
/* How each endpoint is reached, decided once, here, at compile time. */
#include "config/checks.h"

#include <string.h>

/* Answers that two interfaces could give are likely a missing route. */
static void warn_of_rival(struct check *c, const struct policy_endpoint *e,
			  const struct route *route, const struct route *rival)
{
	const struct policy_interface *interfaces = c->policy->interfaces.items;

	yaml_warning(
		c->d, check_at(&e->map, "address"),
		"interfaces %s and %s lead there equally well, %s is taken; a longer route says "
		"which is meant",
		interfaces[route->interface].name, interfaces[rival->interface].name,
		interfaces[route->interface].name);
}

static void reach(struct check *c, struct policy_endpoint *e)
{
	const struct policy_interface *interface;
	const struct address *next_hop, *source;
	const struct route *route, *rival;
	char text[ADDRESS_TEXT_BYTES], net[ADDRESS_TEXT_BYTES];

	route = routing_find(&c->routing, &e->address, &rival);
	if (route == NULL) {
		check_endpoint_fault(
			c, e,
			"found %s, which no route leads to; expected it within a network of an "
			"interface, or a gateway or routes that lead there",
			address_print(&e->address, text));
		return;
	}
	if (route->via.family == 0 && address_is_reserved(&route->to, &e->address)) {
		check_endpoint_fault(
			c, e,
			"found %s, the network's own or the broadcast address of %s; expected a "
			"server's address",
			address_print(&e->address, text), address_print_prefix(&route->to, net));
		return;
	}
	interface = &c->policy->interfaces.items[route->interface];
	next_hop = route->via.family != 0 ? &route->via : &e->address;
	source = routing_source(interface, &e->address, next_hop);
	if (source == NULL) {
		check_endpoint_fault(
			c, e,
			"found %s, but interface %s has no IPv%d address to send from; expected "
			"one among its addresses",
			address_print(&e->address, text), interface->name, e->address.family);
		return;
	}
	if (rival != NULL)
		warn_of_rival(c, e, route, rival);
	e->interface_index = route->interface;
	e->next_hop = next_hop->ip;
	e->snat = source->ip;
}

/* Errors among the interfaces would only repeat themselves at every endpoint. */
static bool interfaces_parsed(const struct policy *p)
{
	for (size_t i = 0; i < p->interfaces.count; i++) {
		if (p->interfaces.items[i].map.errors != 0)
			return false;
	}
	return p->interfaces.count != 0;
}

void check_reachable(struct check *c)
{
	struct policy *p = c->policy;

	if (!interfaces_parsed(p))
		return;
	for (size_t i = 0; i < p->clusters.count; i++) {
		struct policy_cluster *cluster = &p->clusters.items[i];

		for (size_t k = 0; k < cluster->endpoints.count; k++) {
			struct policy_endpoint *e = &cluster->endpoints.items[k];

			if (e->address.family != 0 && !e->left_out)
				reach(c, e);
		}
	}
}
