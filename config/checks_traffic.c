/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners and endpoints: who is bound where, what leads to whom. */
#include "config/checks.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static const struct policy_interface *interface_of(const struct policy *p,
						   const struct policy_listener *l)
{
	return l->interface_index != NOT_FOUND ? &p->interfaces.items[l->interface_index] : NULL;
}

static bool owns(const struct policy_interface *interface, const struct address *ip)
{
	for (size_t i = 0; i < interface->addresses.count; i++) {
		const struct address *own = &interface->addresses.items[i].address;

		if (own->family == ip->family &&
		    (address_is_wildcard(ip) || address_same_ip(own, ip)))
			return true;
	}
	return false;
}

static bool is_kernels(const struct policy_interface *interface, const struct address *ip)
{
	for (size_t i = 0; i < interface->kernel_addresses.count; i++) {
		if (address_same_ip(&interface->kernel_addresses.items[i].address, ip))
			return true;
	}
	return false;
}

static void check_bind(struct check *c, const struct policy_listener *l)
{
	const struct policy_interface *interface = interface_of(c->policy, l);
	const struct yaml_node *node = check_at(&l->map, "bind");
	const struct value_port_range *snat;
	uint16_t port = ntohs(l->bind.port);
	bool ours;

	if (interface == NULL || l->bind.family == 0 || interface->map.errors != 0)
		return;
	if (is_kernels(interface, &l->bind))
		yaml_error(c->d, node,
			   "found one of the interface's kernel_addresses, packets for which go to "
			   "the kernel; expected another address");
	snat = &interface->snat.ports;
	ours = owns(interface, &l->bind);
	if (!ours && address_is_wildcard(&l->bind))
		yaml_error(c->d, node,
			   "interface %s has no IPv%d address; expected one, or a bind to the "
			   "address clients use",
			   interface->name, l->bind.family);
	if (ours && port >= snat->low && port <= snat->high)
		yaml_error(c->d, node,
			   "found port %u, which is within the SNAT ports %u-%u of interface %s; "
			   "expected a port outside them, or other snat.ports",
			   port, snat->low, snat->high, interface->name);
}

static bool same_bind(const struct policy_listener *a, const struct policy_listener *b)
{
	return a->interface_index == b->interface_index && a->protocol == b->protocol &&
	       a->bind.port == b->bind.port && address_same_ip(&a->bind, &b->bind);
}

void check_binds(struct check *c)
{
	const struct policy *p = c->policy;

	for (size_t i = 0; i < p->listeners.count; i++) {
		const struct policy_listener *l = &p->listeners.items[i];
		char bind[ADDRESS_TEXT_BYTES];

		check_bind(c, l);
		if (l->bind.family == 0 || l->protocol == 0 || interface_of(p, l) == NULL)
			continue;
		for (size_t k = 0; k < i; k++) {
			const struct policy_listener *other = &p->listeners.items[k];

			if (!same_bind(l, other))
				continue;
			yaml_error(c->d, check_at(&l->map, "bind"),
				   "found %s, where the listener on line %u is bound already; "
				   "expected another address, port, interface or protocol",
				   address_print_port(&l->bind, bind), other->map.node->line);
			break;
		}
	}
}

/* The first listener of each cluster decides its family; NULL where there is none. */
static const struct policy_listener **first_listeners(struct check *c)
{
	const struct policy *p = c->policy;
	const struct policy_listener **first =
		arena_array(c->arena, p->clusters.count + 1, sizeof(const void *));

	for (size_t i = 0; i < p->listeners.count && first != NULL; i++) {
		const struct policy_listener *l = &p->listeners.items[i];

		if (l->cluster_index == NOT_FOUND || l->bind.family == 0)
			continue;
		if (first[l->cluster_index] == NULL)
			first[l->cluster_index] = l;
		else if (first[l->cluster_index]->bind.family != l->bind.family)
			yaml_error(c->d, check_at(&l->map, "bind"),
				   "found an IPv%d address, but the listener on line %u uses "
				   "cluster %s for IPv%d; expected a cluster for each family",
				   l->bind.family, first[l->cluster_index]->map.node->line,
				   l->cluster, first[l->cluster_index]->bind.family);
	}
	return first;
}

/* The endpoint that stands first in the file. */
static const struct policy_endpoint *first_endpoint(const struct policy_cluster *cluster)
{
	const struct policy_endpoint *first = NULL;

	for (size_t i = 0; i < cluster->endpoints.count; i++) {
		const struct policy_endpoint *e = &cluster->endpoints.items[i];

		if (e->address.family != 0 &&
		    (first == NULL || e->map.node->index < first->map.node->index))
			first = e;
	}
	return first;
}

void check_families(struct check *c)
{
	const struct policy *p = c->policy;
	const struct policy_listener **listeners = first_listeners(c);

	for (size_t i = 0; i < p->clusters.count && listeners != NULL; i++) {
		const struct policy_cluster *cluster = &p->clusters.items[i];
		const struct policy_endpoint *first = first_endpoint(cluster);
		uint8_t family;

		if (first == NULL)
			continue;
		family = listeners[i] != NULL ? listeners[i]->bind.family : first->address.family;
		for (size_t k = 0; k < cluster->endpoints.count; k++) {
			struct policy_endpoint *e = &cluster->endpoints.items[k];

			if (e->address.family == 0 || e->address.family == family)
				continue;
			check_endpoint_fault(
				c, e,
				"found an IPv%d address, expected IPv%d like the %s on line %u: "
				"Fender does not translate between families",
				e->address.family, family,
				listeners[i] != NULL ? "listener" : "first endpoint",
				listeners[i] != NULL ? listeners[i]->map.node->line
						     : first->map.node->line);
		}
	}
}

/* An address that leads to Fender itself, on one interface or (ANY_INTERFACE) on all. */
struct ours {
	struct image_ip ip;
	uint32_t interface;
	const struct yaml_node *node;
};

enum { ANY_INTERFACE = UINT32_MAX };

static int ours_order(const void *left, const void *right)
{
	const struct ours *a = left, *b = right;
	int order = memcmp(&a->ip, &b->ip, sizeof(a->ip));

	if (order == 0 && a->interface != b->interface)
		order = a->interface < b->interface ? -1 : 1;
	return order;
}

struct ours_set {
	struct ours *items;
	size_t count;
};

static void ours_add(struct ours_set *set, const struct address *ip, uint32_t interface,
		     const struct yaml_node *node)
{
	if (ip->family != 0 && !address_is_wildcard(ip))
		set->items[set->count++] = (struct ours){ip->ip, interface, node};
}

static bool ours_collect(struct check *c, struct ours_set *set)
{
	const struct policy *p = c->policy;
	size_t most = p->listeners.count;

	for (size_t i = 0; i < p->interfaces.count; i++)
		most += p->interfaces.items[i].addresses.count +
			p->interfaces.items[i].kernel_addresses.count;
	set->count = 0;
	set->items = arena_array(c->arena, most, sizeof(struct ours));
	if (set->items == NULL)
		return false;
	for (size_t i = 0; i < p->interfaces.count; i++) {
		const struct policy_interface *interface = &p->interfaces.items[i];

		for (size_t k = 0; k < interface->addresses.count; k++)
			ours_add(set, &interface->addresses.items[k].address, ANY_INTERFACE,
				 interface->addresses.items[k].node);
		for (size_t k = 0; k < interface->kernel_addresses.count; k++)
			ours_add(set, &interface->kernel_addresses.items[k].address, ANY_INTERFACE,
				 interface->kernel_addresses.items[k].node);
	}
	for (size_t i = 0; i < p->listeners.count; i++) {
		const struct policy_listener *l = &p->listeners.items[i];

		if (l->interface_index != NOT_FOUND)
			ours_add(set, &l->bind, l->interface_index, check_at(&l->map, "bind"));
	}
	qsort(set->items, set->count, sizeof(struct ours), ours_order);
	return true;
}

static const struct ours *ours_find(const struct ours_set *set, const struct address *ip,
				    uint32_t interface)
{
	struct ours key = {.ip = ip->ip, .interface = interface};

	return bsearch(&key, set->items, set->count, sizeof(struct ours), ours_order);
}

static void check_endpoint(struct check *c, const struct ours_set *set, struct policy_endpoint *e)
{
	const struct ours *own = ours_find(set, &e->address, ANY_INTERFACE);
	const struct route *route, *rival;
	char text[ADDRESS_TEXT_BYTES];

	if (own == NULL) {
		route = routing_find(&c->routing, &e->address, &rival);
		if (route != NULL)
			own = ours_find(set, &e->address, route->interface);
	}
	if (own != NULL)
		check_endpoint_fault(
			c, e,
			"found %s, an address of Fender itself (line %u), so connections would "
			"go in a circle; expected a server's address",
			address_print(&e->address, text), own->node->line);
}

void check_endpoints(struct check *c)
{
	struct ours_set set;

	if (!ours_collect(c, &set))
		return;
	for (size_t i = 0; i < c->policy->clusters.count; i++) {
		const struct policy_cluster *cluster = &c->policy->clusters.items[i];

		for (size_t k = 0; k < cluster->endpoints.count; k++) {
			struct policy_endpoint *e = &cluster->endpoints.items[k];

			if (e->address.family == 0 || e->left_out)
				continue;
			check_endpoint(c, &set, e);
			if (k > 0 && e->address.port == e[-1].address.port &&
			    address_same_ip(&e->address, &e[-1].address))
				yaml_error(c->d, check_at(&e->map, "address"),
					   "the endpoint on line %u has this address and port too; "
					   "expected each once (use weight for a larger share)",
					   e[-1].map.node->line);
		}
	}
}
