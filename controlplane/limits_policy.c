/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/limits_policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/registry.h"

_Static_assert((int)IMAGE_LIMIT_TOKEN_BUCKET == (int)LIMIT_TOKEN_BUCKET &&
		       (int)IMAGE_LIMIT_LEAKY_BUCKET == (int)LIMIT_LEAKY_BUCKET &&
		       (int)IMAGE_LIMIT_FIXED_WINDOW == (int)LIMIT_FIXED_WINDOW &&
		       (int)IMAGE_LIMIT_SLIDING_WINDOW == (int)LIMIT_SLIDING_WINDOW,
	       "algorithms are copied");
_Static_assert((int)IMAGE_LIMIT_DROP == (int)LIMIT_DROP &&
		       (int)IMAGE_LIMIT_MARK == (int)LIMIT_MARK &&
		       (int)IMAGE_LIMIT_OBSERVE == (int)LIMIT_OBSERVE,
	       "actions are copied");
_Static_assert((int)MAX_INTERFACES <= (int)LIMIT_INTERFACES &&
		       2 * (int)MAX_LISTENERS <= (int)LIMIT_MAX_LISTENERS,
	       "what a policy may have the maps can hold");

enum { NS_PER_MS = 1000000 };

static struct limit_ip ip_of(const struct image_ip *from)
{
	struct limit_ip ip;

	_Static_assert(sizeof(ip) == sizeof(*from), "both are mapped");
	memcpy(&ip, from, sizeof(ip));
	return ip;
}

static struct limit_spec spec_of(const struct image_limit *from)
{
	return (struct limit_spec){
		.algorithm = from->algorithm,
		.rate_per_second = from->rate,
		.burst = from->burst,
		.window_ns = (uint64_t)from->window_ms * NS_PER_MS,
	};
}

struct limits_rules limits_rules_of(const struct image_rate_limit *from)
{
	return (struct limits_rules){
		.packets = spec_of(&from->packets),
		.bytes = spec_of(&from->bytes),
		.source = spec_of(&from->source),
		.listener = spec_of(&from->listener),
		.directions =
			(from->directions & IMAGE_LIMIT_TO_ENDPOINT ? LIMIT_TO_ENDPOINT : 0u) |
			(from->directions & IMAGE_LIMIT_TO_CLIENT ? LIMIT_TO_CLIENT : 0u),
		.action = from->action,
		.source_action = from->source_action,
		.listener_action = from->listener_action,
	};
}

static void add_interfaces(struct limits_wish *w, const struct image_header *image,
			   const struct interface_control *control)
{
	const struct image_interface *from = IMAGE_ARRAY(image, struct image_interface, interfaces);

	for (uint32_t i = 0; i < image->interfaces.count; i++) {
		if (control[i].program != PROGRAM_FENDER)
			continue;
		w->interfaces[w->policy.interface_count++] = (struct limits_interface){
			.number = (uint8_t)i,
			.exclusive = !from[i].shared,
			.unlimited = control[i].limiter != LIMITER_XDP,
			.vlan = from[i].vlan,
			.snat_low = from[i].snat_port_low,
			.snat_high = from[i].snat_port_high,
		};
	}
}

static void add_addresses(struct limits_wish *w, const struct image_header *image,
			  const struct interface_control *control)
{
	const struct image_address *from = IMAGE_ARRAY(image, struct image_address, addresses);

	for (uint32_t i = 0; i < image->addresses.count; i++) {
		if (control[from[i].interface].program != PROGRAM_FENDER)
			continue;
		w->addresses[w->policy.address_count++] = (struct limits_address){
			.ip = ip_of(&from[i].ip),
			.interface = (uint8_t)from[i].interface,
			.kernel = (from[i].flags & ADDRESS_KERNEL) != 0,
		};
	}
}

static int add_listeners(struct limits_wish *w, const struct image_header *image,
			 const struct region *region)
{
	const struct image_listener *from = IMAGE_ARRAY(image, struct image_listener, listeners);
	const struct image_cluster *clusters = IMAGE_ARRAY(image, struct image_cluster, clusters);

	w->listeners = calloc(image->listeners.count + 1, sizeof(*w->listeners));
	w->drain_ms = calloc(image->listeners.count + 1, sizeof(*w->drain_ms));
	if (!w->listeners || !w->drain_ms)
		return -ENOMEM;
	for (uint32_t i = 0; i < image->listeners.count; i++) {
		uint32_t slot = registry_find(region->listener_registry,
					      region->shape.listener_slots, from[i].key);

		if (slot == REGISTRY_NONE)
			return -ENOENT;
		w->drain_ms[i] = clusters[from[i].cluster].timeouts.drain_ms;
		w->listeners[i] = (struct limits_listener){
			.number = slot,
			.ip = ip_of(&from[i].ip),
			.port = from[i].port,
			.proto = from[i].proto,
			.interface = (uint8_t)from[i].interface,
			.rules = limits_rules_of(&from[i].rate_limit),
		};
		w->listeners[i].rules.udp_idle_ms = clusters[from[i].cluster].timeouts.idle_udp_ms;
	}
	w->policy.listener_count = image->listeners.count;
	return 0;
}

struct limits_wish *limits_wish_create(const struct image_header *image,
				       const struct interface_control *control,
				       const struct region *region)
{
	struct limits_wish *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return NULL;
	add_interfaces(w, image, control);
	add_addresses(w, image, control);
	rc = region ? add_listeners(w, image, region) : 0;
	if (rc) {
		limits_wish_free(w);
		errno = -rc;
		return NULL;
	}
	w->policy.generation = image->generation;
	w->policy.interfaces = w->interfaces;
	w->policy.addresses = w->addresses;
	w->policy.listeners = w->listeners;
	return w;
}

void limits_wish_free(struct limits_wish *wish)
{
	if (!wish)
		return;
	free(wish->listeners);
	free(wish->drain_ms);
	free(wish);
}
