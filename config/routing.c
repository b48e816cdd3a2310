/* SPDX-License-Identifier: Apache-2.0 */
#include "config/routing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int route_order(const void *left, const void *right)
{
	const struct route *a = left, *b = right;
	int order;

	if (a->interface != b->interface)
		return a->interface < b->interface ? -1 : 1;
	if (a->to.family != b->to.family)
		return a->to.family < b->to.family ? -1 : 1;
	if (a->to.prefix != b->to.prefix)
		return a->to.prefix > b->to.prefix ? -1 : 1;
	order = memcmp(&a->to.ip, &b->to.ip, sizeof(a->to.ip));
	if (order != 0 || a->node == b->node)
		return order;
	return a->node->line != b->node->line ? (a->node->line < b->node->line ? -1 : 1)
					      : (a->node->column < b->node->column ? -1 : 1);
}

static void add(struct routing *r, const struct address *to, const struct address *via,
		uint32_t interface, const struct yaml_node *node)
{
	struct route *route = &r->routes[r->count++];

	route->to = *to;
	if (via != NULL)
		route->via = *via;
	route->interface = (uint16_t)interface;
	route->node = node;
}

static void add_interface(struct routing *r, const struct policy_interface *interface,
			  uint32_t number)
{
	for (size_t i = 0; i < interface->addresses.count; i++) {
		const struct policy_address *own = &interface->addresses.items[i];
		struct address net = address_masked(&own->address);

		if (net.family != 0 && net.prefix != (net.family == FAMILY_V4 ? 32 : 128))
			add(r, &net, NULL, number, own->node);
	}
	for (size_t i = 0; i < interface->routes.count; i++) {
		const struct policy_route *route = &interface->routes.items[i];

		if (route->to.family != 0)
			add(r, &route->to, &route->via, number, route->map.node);
	}
	for (size_t i = 0; i < interface->gateways.count; i++) {
		const struct policy_address *gateway = &interface->gateways.items[i];
		struct address all = {.family = gateway->address.family};

		if (all.family == FAMILY_V4)
			all.ip = image_ip_v4(0);
		if (all.family != 0)
			add(r, &all, &gateway->address, number, gateway->node);
	}
}

/* Sorted, so routes to one network of one interface are neighbours; the file's first stays. */
static void drop_repeated(struct routing *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->count; i++) {
		const struct route *last = kept != 0 ? &r->routes[kept - 1] : NULL;

		if (last != NULL && last->interface == r->routes[i].interface &&
		    last->to.prefix == r->routes[i].to.prefix &&
		    address_same_ip(&last->to, &r->routes[i].to))
			continue;
		r->routes[kept++] = r->routes[i];
	}
	r->count = kept;
}

int routing_build(struct routing *routing, const struct policy *policy, struct arena *arena)
{
	size_t most = 0;

	memset(routing, 0, sizeof(*routing));
	routing->policy = policy;
	for (size_t i = 0; i < policy->interfaces.count; i++) {
		const struct policy_interface *interface = &policy->interfaces.items[i];

		most += interface->addresses.count + interface->routes.count +
			interface->gateways.count;
	}
	routing->routes = arena_array(arena, most, sizeof(struct route));
	if (routing->routes == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < policy->interfaces.count; i++)
		add_interface(routing, &policy->interfaces.items[i], i);
	qsort(routing->routes, routing->count, sizeof(struct route), route_order);
	drop_repeated(routing);
	return 0;
}

const struct route *routing_find(const struct routing *routing, const struct address *to,
				 const struct route **rival)
{
	const struct route *best = NULL;

	*rival = NULL;
	for (size_t i = 0; i < routing->count; i++) {
		const struct route *route = &routing->routes[i];

		if ((best != NULL && route->to.prefix < best->to.prefix) ||
		    !address_within(&route->to, to))
			continue;
		if (best == NULL || route->to.prefix > best->to.prefix) {
			best = route;
			*rival = NULL;
		} else if (*rival == NULL) {
			*rival = route;
		}
	}
	return best;
}

bool routing_on_link(const struct routing *routing, uint32_t interface, const struct address *to)
{
	for (size_t i = 0; i < routing->count; i++) {
		const struct route *route = &routing->routes[i];

		if (route->interface == interface && route->via.family == 0 &&
		    address_within(&route->to, to))
			return true;
	}
	return false;
}

const struct address *routing_source(const struct policy_interface *interface,
				     const struct address *to, const struct address *next_hop)
{
	const struct address *best = NULL;
	bool best_near = false;

	for (size_t i = 0; i < interface->addresses.count; i++) {
		const struct address *own = &interface->addresses.items[i].address;
		bool near = address_within(own, next_hop);

		if (own->family != to->family ||
		    (address_is_link_local(own) && !address_is_link_local(to)))
			continue;
		if (best == NULL || (near && (!best_near || own->prefix > best->prefix))) {
			best = own;
			best_near = near;
		}
	}
	return best;
}
