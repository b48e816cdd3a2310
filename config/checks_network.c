/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces: devices, addresses, routes, gateways, neighbours, SNAT ports. */
#include "config/checks.h"

#include <string.h>

enum { MIN_MTU_V6 = 1280 }; /* RFC 8200, section 5 */

void check_devices(struct check *c)
{
	const struct policy *p = c->policy;

	for (size_t i = 1; i < p->interfaces.count; i++) {
		const struct policy_interface *it = &p->interfaces.items[i];

		for (size_t k = 0; k < i; k++) {
			const struct policy_interface *other = &p->interfaces.items[k];

			if (it->device.kind == 0 || it->device.kind != other->device.kind ||
			    strcmp(it->device.identity, other->device.identity) != 0)
				continue;
			yaml_error(c->d, check_at(&it->map, "device"),
				   "the interface on line %u has this device too; expected another "
				   "device",
				   other->map.node->line);
			break;
		}
	}
}

/* The first address of an interface, the kernel's too, that is @ip; NULL when none is. */
static const struct policy_address *own_address(const struct policy *p, const struct address *ip)
{
	for (size_t i = 0; i < p->interfaces.count; i++) {
		const struct policy_interface *interface = &p->interfaces.items[i];

		for (size_t k = 0; k < interface->addresses.count; k++) {
			if (address_same_ip(&interface->addresses.items[k].address, ip))
				return &interface->addresses.items[k];
		}
		for (size_t k = 0; k < interface->kernel_addresses.count; k++) {
			if (address_same_ip(&interface->kernel_addresses.items[k].address, ip))
				return &interface->kernel_addresses.items[k];
		}
	}
	return NULL;
}

static bool has_family(const struct policy_interface *interface, uint8_t family)
{
	const struct policy_address *own = interface->addresses.items;
	size_t count = own != NULL ? interface->addresses.count : 0;

	for (size_t i = 0; i < count; i++) {
		if (own[i].address.family == family)
			return true;
	}
	return false;
}

static void check_once(struct check *c, const struct policy_address *own, size_t count)
{
	char ip[ADDRESS_TEXT_BYTES];

	for (size_t i = 0; i < count; i++, own++) {
		const struct policy_address *first;

		if (own->address.family == 0)
			continue;
		first = own_address(c->policy, &own->address);
		if (first != own)
			yaml_error(c->d, own->node,
				   "found %s, the address on line %u too; expected each address "
				   "once",
				   address_print(&own->address, ip), first->node->line);
	}
}

void check_addresses(struct check *c)
{
	const struct policy *p = c->policy;
	size_t total = 0;

	for (size_t i = 0; i < p->interfaces.count; i++) {
		const struct policy_interface *interface = &p->interfaces.items[i];

		total += interface->addresses.count + interface->kernel_addresses.count;
		check_once(c, interface->addresses.items, interface->addresses.count);
		check_once(c, interface->kernel_addresses.items, interface->kernel_addresses.count);
		if (interface->mtu != 0 && interface->mtu < MIN_MTU_V6 &&
		    has_family(interface, FAMILY_V6))
			yaml_error(c->d, check_at(&interface->map, "mtu"),
				   "found %llu, expected at least 1280, as the interface has an "
				   "IPv6 address",
				   (unsigned long long)interface->mtu);
	}
	if (total > MAX_ADDRESSES)
		yaml_error(c->d, check_at(&p->map, "interfaces"),
			   "found %zu addresses, expected at most %d over all interfaces", total,
			   MAX_ADDRESSES);
}

/* May packets to @ip be sent on the interface's link without a router? */
static bool is_neighbour(const struct check *c, size_t interface, const struct address *ip)
{
	if (address_is_link_local(ip))
		return has_family(&c->policy->interfaces.items[interface], FAMILY_V6);
	return routing_on_link(&c->routing, (uint32_t)interface, ip);
}

/* Reports a router or neighbour that is Fender itself or not on the link. */
static void check_next_hop(struct check *c, size_t interface, const struct address *ip,
			   const struct yaml_node *node)
{
	char text[ADDRESS_TEXT_BYTES];

	/* An address of ours that did not parse may be the one that would make it right. */
	if (ip->family == 0 || c->policy->interfaces.items[interface].map.errors != 0)
		return;
	address_print(ip, text);
	if (own_address(c->policy, ip) != NULL)
		yaml_error(c->d, node, "found %s, which is Fender's own; expected another station",
			   text);
	else if (!is_neighbour(c, interface, ip))
		yaml_error(c->d, node,
			   "found %s, which is on no network of this interface; expected an "
			   "address within one of its addresses' prefixes or its on-link routes",
			   text);
}

/* Another source of the same route: an earlier row, an address of ours, a gateway. */
static const struct yaml_node *same_route(const struct policy_interface *interface, size_t number)
{
	const struct address *to = &interface->routes.items[number].to;

	for (size_t i = 0; i < number; i++) {
		const struct policy_route *other = &interface->routes.items[i];

		if (other->to.prefix == to->prefix && address_same_ip(&other->to, to))
			return other->map.node;
	}
	for (size_t i = 0; i < interface->addresses.count; i++) {
		struct address net = address_masked(&interface->addresses.items[i].address);

		if (net.prefix == to->prefix && address_same_ip(&net, to))
			return interface->addresses.items[i].node;
	}
	for (size_t i = 0; i < interface->gateways.count; i++) {
		if (to->prefix == 0 && interface->gateways.items[i].address.family == to->family)
			return interface->gateways.items[i].node;
	}
	return NULL;
}

static void check_route(struct check *c, size_t interface, size_t number)
{
	const struct policy_interface *it = &c->policy->interfaces.items[interface];
	const struct policy_route *route = &it->routes.items[number];
	const struct yaml_node *other;
	char to[ADDRESS_TEXT_BYTES];

	if (route->to.family == 0)
		return;
	other = same_route(it, number);
	if (other != NULL)
		yaml_error(c->d, check_at(&route->map, "to"),
			   "found %s, which line %u leads to as well; expected one route to it",
			   address_print_prefix(&route->to, to), other->line);
	if (route->via.family != 0 && route->via.family != route->to.family)
		yaml_error(c->d, check_at(&route->map, "via"),
			   "found a router of the other family, expected an IPv%d address",
			   route->to.family);
	else
		check_next_hop(c, interface, &route->via, check_at(&route->map, "via"));
}

void check_routes(struct check *c)
{
	const struct policy *p = c->policy;

	for (size_t i = 0; i < p->interfaces.count; i++) {
		for (size_t k = 0; k < p->interfaces.items[i].routes.count; k++)
			check_route(c, i, k);
	}
	if (c->routing.count > MAX_ROUTES)
		yaml_error(c->d, check_at(&p->map, "interfaces"),
			   "found %zu routes, expected at most %d over all interfaces, networks of "
			   "addresses and gateways included",
			   c->routing.count, MAX_ROUTES);
}

void check_gateways(struct check *c)
{
	for (size_t i = 0; i < c->policy->interfaces.count; i++) {
		const struct policy_interface *interface = &c->policy->interfaces.items[i];
		const struct policy_address *gateway = interface->gateways.items;

		for (size_t k = 0; k < interface->gateways.count; k++)
			check_next_hop(c, i, &gateway[k].address, gateway[k].node);
		if (interface->gateways.count == 2 && gateway[0].address.family != 0 &&
		    gateway[0].address.family == gateway[1].address.family)
			yaml_error(c->d, gateway[1].node,
				   "found a second gateway for IPv%d, expected one for each family",
				   gateway[1].address.family);
	}
}

void check_neighbours(struct check *c)
{
	size_t total = 0;

	for (size_t i = 0; i < c->policy->interfaces.count; i++) {
		const struct policy_interface *interface = &c->policy->interfaces.items[i];

		total += interface->neighbours.count;
		for (size_t k = 0; k < interface->neighbours.count; k++) {
			const struct policy_neighbour *it = &interface->neighbours.items[k];
			const struct yaml_node *node = check_at(&it->map, "address");

			check_next_hop(c, i, &it->address, node);
			for (size_t n = 0; n < k && it->address.family != 0; n++) {
				const struct policy_neighbour *other =
					&interface->neighbours.items[n];

				if (!address_same_ip(&other->address, &it->address))
					continue;
				yaml_error(c->d, node,
					   "the neighbour on line %u has this address too; "
					   "expected each once",
					   other->map.node->line);
				break;
			}
		}
	}
	if (total > MAX_NEIGHBOURS)
		yaml_error(c->d, check_at(&c->policy->map, "interfaces"),
			   "found %zu neighbours, expected at most %d over all interfaces", total,
			   MAX_NEIGHBOURS);
}

/* Workers that own a port of the range (see shm/limits.h, OWNER_BUCKETS), as bits. */
static uint32_t workers_with_ports(const struct value_port_range *ports, uint64_t workers)
{
	uint32_t mask = 0;

	for (uint32_t port = ports->low; port <= ports->high; port++) {
		mask |= 1u << (port % OWNER_BUCKETS % workers);
		if (port - ports->low == OWNER_BUCKETS)
			break;
	}
	return mask;
}

void check_snat_ports(struct check *c)
{
	uint64_t workers = c->policy->sidecar.workers;

	for (size_t i = 0; i < c->policy->interfaces.count && workers != 0; i++) {
		const struct policy_snat *snat = &c->policy->interfaces.items[i].snat;

		if (snat->map.errors == 0 &&
		    workers_with_ports(&snat->ports, workers) != (1u << workers) - 1)
			yaml_error(
				c->d, check_at(&snat->map, "ports"),
				"found too few ports for %llu workers, expected at least %d in a "
				"row",
				(unsigned long long)workers, OWNER_BUCKETS);
	}
}
