/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/limits_plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* Full buckets a listener may begin with: a quarter of the map, 1/16 of it a second */
	COARSE_BURST_PART = 4,
	COARSE_RATE_PART = 16,
	BINDS_PER_LISTENER = 4, /* a listener may bind to all addresses of its interface */
	BINDS_MIN = 1024,
};

uint32_t limits_listener_entries(const struct limits_sizes *sizes)
{
	return BINDS_MIN + BINDS_PER_LISTENER * sizes->listeners;
}

void plan_free(struct limits_plan *p)
{
	free(p->rules);
	free(p->binds);
	free(p->places);
}

static uint32_t interface_ports(const struct limits_interface *i)
{
	return i->snat_low ? (uint32_t)(i->snat_high - i->snat_low) + 1 : 0;
}

static const struct limits_interface *find_interface(const struct limits_policy *policy,
						     uint8_t number)
{
	for (size_t i = 0; i < policy->interface_count; i++)
		if (policy->interfaces[i].number == number)
			return &policy->interfaces[i];
	return NULL;
}

uint64_t limits_snat_ports(const struct limits_policy *policy)
{
	uint64_t ports = 0;

	for (size_t i = 0; i < policy->address_count; i++) {
		const struct limits_address *a = &policy->addresses[i];
		const struct limits_interface *interface = find_interface(policy, a->interface);

		if (interface && !a->kernel)
			ports += 2 * (uint64_t)interface_ports(interface);
	}
	return ports;
}

int limits_port_of(const struct limits_policy *policy, uint32_t place, struct limits_port *out)
{
	for (size_t n = 0; n < policy->address_count; n++) {
		const struct limits_address *a = &policy->addresses[n];
		const struct limits_interface *i = find_interface(policy, a->interface);
		uint32_t ports = i && !a->kernel ? interface_ports(i) : 0;

		if (place < 2 * ports) {
			*out = (struct limits_port){
				.ip = a->ip,
				.port = (uint16_t)(i->snat_low + place % ports),
				.proto = place < ports ? IPPROTO_TCP : IPPROTO_UDP,
			};
			return 0;
		}
		place -= 2 * ports;
	}
	return -ENOENT;
}

static int plan_interfaces(struct limits_plan *p, const struct limits_policy *policy,
			   const struct why *why)
{
	for (size_t n = 0; n < policy->interface_count; n++) {
		const struct limits_interface *i = &policy->interfaces[n];
		struct limit_interface *row;

		if (i->number >= LIMIT_INTERFACES || i->snat_high < i->snat_low)
			return why_fail(why, -EINVAL, "limits: interface %u: number or SNAT ports",
					i->number);
		row = &p->interfaces[i->number];
		if (row->flags)
			return why_fail(why, -EINVAL, "limits: interface %u comes twice",
					i->number);
		row->flags = LIMIT_CONFIGURED;
		if (i->exclusive)
			row->flags |= LIMIT_EXCLUSIVE;
		if (policy->lost_pass)
			row->flags |= LIMIT_LOST_PASS;
		if (i->unlimited)
			row->flags |= LIMIT_UNLIMITED;
		if (i->snat_low)
			row->flags |= LIMIT_HAS_SNAT;
		row->vlan = i->vlan;
		row->snat_low = i->snat_low;
		row->snat_high = i->snat_high;
	}
	return 0;
}

static int plan_addresses(struct limits_plan *p, const struct limits_policy *policy,
			  const struct why *why)
{
	uint64_t ports = limits_snat_ports(policy);
	uint32_t place = 0;

	if (ports > p->sizes->snat_ports)
		return why_fail(why, -ENOSPC, "limits: %llu SNAT ports, the maps have room for %u",
				(unsigned long long)ports, p->sizes->snat_ports);
	if (policy->address_count > limits_listener_entries(p->sizes) / 2)
		return why_fail(why, -ENOSPC, "limits: %zu addresses, the map has room for %u",
				policy->address_count, limits_listener_entries(p->sizes) / 2);
	p->places = calloc(policy->address_count + 1, sizeof(*p->places));
	if (!p->places)
		return why_fail(why, -ENOMEM, "limits: no memory");
	for (size_t n = 0; n < policy->address_count; n++) {
		const struct limits_address *a = &policy->addresses[n];
		const struct limits_interface *i = find_interface(policy, a->interface);
		struct limits_place *to = &p->places[p->place_count++];

		if (!i)
			return why_fail(why, -EINVAL, "limits: an address of no interface: %u",
					a->interface);
		to->key = (struct limit_address_key){.ip = a->ip, .interface = a->interface};
		if (a->kernel) {
			to->address.flags = LIMIT_KERNEL_ADDRESS;
		} else if (i->snat_low) {
			to->address.flags = LIMIT_SNAT_ADDRESS;
			to->address.snat_tcp = place;
			to->address.snat_udp = place + interface_ports(i);
			place += 2 * interface_ports(i);
		}
	}
	return 0;
}

static uint32_t spec_shape(uint32_t shape, const struct limit_spec *spec, int observed)
{
	return shape * 16 + spec->algorithm * 2 + (observed ? 1 : 0);
}

static int make_rule(struct limit_rule *rule, const struct limit_spec *spec,
		     const struct limits_listener *from, const struct why *why)
{
	int rc = limit_rule_make(rule, spec);

	if (rc)
		return why_fail(
			why, rc,
			"limits: listener %u: no limit can be made of algorithm %u, "
			"%llu/s, burst %llu, window %llu ns",
			from->number, spec->algorithm, (unsigned long long)spec->rate_per_second,
			(unsigned long long)spec->burst, (unsigned long long)spec->window_ns);
	return 0;
}

static int check_rules(const struct limits_listener *from, const struct why *why)
{
	const struct limits_rules *r = &from->rules;
	int per_connection = r->packets.algorithm || r->bytes.algorithm;

	if (r->action > LIMIT_OBSERVE || r->source_action == LIMIT_MARK ||
	    r->source_action > LIMIT_OBSERVE || r->listener_action == LIMIT_MARK ||
	    r->listener_action > LIMIT_OBSERVE)
		return why_fail(why, -EINVAL, "limits: listener %u: unknown action", from->number);
	if (per_connection && !(r->directions & (LIMIT_TO_ENDPOINT | LIMIT_TO_CLIENT)))
		return why_fail(why, -EINVAL, "limits: listener %u: no direction", from->number);
	if (from->proto == IPPROTO_UDP && per_connection &&
	    (!r->source.algorithm || !r->listener.algorithm))
		return why_fail(why, -EINVAL,
				"limits: listener %u: UDP limits per connection need limits per "
				"source and listener: any packet may begin a flow",
				from->number);
	return 0;
}

static struct limit_spec coarse_spec(const struct limits_plan *p, const struct limits_rules *rules)
{
	if (rules->coarse.algorithm)
		return rules->coarse;
	return (struct limit_spec){.algorithm = LIMIT_TOKEN_BUCKET,
				   .rate_per_second = p->entries / COARSE_RATE_PART,
				   .burst = p->entries / COARSE_BURST_PART};
}

/* Two ticks so far apart that @ms have passed for certain. */
static uint32_t ticks_beyond(uint32_t ms)
{
	return limit_tick(ms * 1000000ull) + 1;
}

static int plan_rules(struct limit_rules *to, const struct limits_plan *p,
		      const struct limits_listener *from, const struct why *why)
{
	const struct limits_rules *r = &from->rules;
	struct limit_spec coarse = coarse_spec(p, r);
	const struct {
		struct limit_rule *rule;
		const struct limit_spec *spec;
	} rows[] = {
		{&to->connection[0], &r->packets},
		{&to->connection[1], &r->bytes},
		{&to->source, &r->source},
		{&to->listener, &r->listener},
		{&to->coarse, &coarse},
	};
	int rc = check_rules(from, why);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !rc; i++)
		rc = make_rule(rows[i].rule, rows[i].spec, from, why);
	if (rc)
		return rc;
	for (int i = 0; i < 2; i++)
		to->hard[i] = limit_rule_double(&to->connection[i]);
	if (from->proto == IPPROTO_UDP && r->udp_idle_ms)
		to->udp_idle = ticks_beyond(r->udp_idle_ms);
	to->action = r->action;
	to->source_action = r->source_action;
	to->listener_action = r->listener_action;
	to->present = (r->packets.algorithm ? LIMIT_HAS_PACKETS : 0u) |
		      (r->bytes.algorithm ? LIMIT_HAS_BYTES : 0u) |
		      (r->source.algorithm ? LIMIT_HAS_SOURCE : 0u) |
		      (r->listener.algorithm ? LIMIT_HAS_LISTENER : 0u);
	if (to->present & LIMIT_PER_CONNECTION)
		to->present |= r->directions & (LIMIT_TO_ENDPOINT | LIMIT_TO_CLIENT);
	to->connection_shape =
		spec_shape(spec_shape(1, &r->packets, 0), &r->bytes, r->action == LIMIT_OBSERVE);
	to->source_shape = spec_shape(1, &r->source, r->source_action == LIMIT_OBSERVE);
	to->listener_shape = spec_shape(spec_shape(1, &r->listener, 0), &coarse,
					r->listener_action == LIMIT_OBSERVE);
	return 0;
}

/* All zero, but for the mapping of IPv4. */
static int is_any(const struct limit_ip *ip)
{
	return !ip->word[0] && !ip->word[1] && !ip->word[3] &&
	       (!ip->word[2] || ip->word[2] == htonl(0xffff));
}

static int is_ipv4(const struct limit_ip *ip)
{
	return !ip->word[0] && !ip->word[1] && ip->word[2] == htonl(0xffff);
}

static void add_bind(struct limits_plan *p, const struct limits_listener *from,
		     const struct limit_ip *ip)
{
	p->binds[p->bind_count++] = (struct limits_bind){
		.key = {.ip = *ip,
			.port = from->port,
			.proto = from->proto,
			.interface = from->interface},
		.listener = from->number,
	};
}

static void plan_binds_of(struct limits_plan *p, const struct limits_policy *policy,
			  const struct limits_listener *from)
{
	if (!is_any(&from->ip)) {
		add_bind(p, from, &from->ip);
		return;
	}
	for (size_t i = 0; i < policy->address_count; i++) {
		const struct limits_address *a = &policy->addresses[i];

		if (a->interface == from->interface && !a->kernel &&
		    is_ipv4(&a->ip) == is_ipv4(&from->ip))
			add_bind(p, from, &a->ip);
	}
}

static size_t most_binds(const struct limits_policy *policy)
{
	size_t count = 0;

	for (size_t i = 0; i < policy->listener_count; i++)
		count += is_any(&policy->listeners[i].ip) ? policy->address_count : 1;
	return count;
}

static int plan_listeners(struct limits_plan *p, const struct limits_policy *policy,
			  const struct why *why)
{
	size_t room = limits_listener_entries(p->sizes) / 2;
	size_t most = most_binds(policy);
	int rc;

	p->rules = calloc(p->sizes->listeners, sizeof(*p->rules));
	p->binds = calloc(most + 1, sizeof(*p->binds));
	if (!p->rules || !p->binds)
		return why_fail(why, -ENOMEM, "limits: no memory");
	/* exact addresses last: they win over a listener on all of them */
	for (int exact = 0; exact < 2; exact++)
		for (size_t i = 0; i < policy->listener_count; i++)
			if (is_any(&policy->listeners[i].ip) == !exact)
				plan_binds_of(p, policy, &policy->listeners[i]);
	if (p->bind_count > room)
		return why_fail(why, -ENOSPC,
				"limits: %zu addresses of listeners, the map has room for %zu",
				p->bind_count, room);
	for (size_t i = 0; i < policy->listener_count; i++) {
		const struct limits_listener *from = &policy->listeners[i];

		if (from->number >= p->sizes->listeners)
			return why_fail(why, -EINVAL, "limits: listener %u of %u", from->number,
					p->sizes->listeners);
		rc = plan_rules(&p->rules[from->number], p, from, why);
		if (rc)
			return rc;
	}
	return 0;
}

int plan_make(struct limits_plan *p, const struct limits_policy *policy, const struct why *why)
{
	int rc;

	if (policy->generation >> 63)
		return why_fail(why, -EINVAL, "limits: the generation is not below 2^63");
	rc = plan_interfaces(p, policy, why);
	if (!rc)
		rc = plan_addresses(p, policy, why);
	if (!rc)
		rc = plan_listeners(p, policy, why);
	return rc;
}
