/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/image_check.h"

#include <errno.h>
#include <string.h>

#include "shm/image_order.h"
#include "shm/names.h"

static int name_has_key(const struct image_header *img, uint32_t name, uint64_t key)
{
	return image_name_ok(img, name, NAME_BYTES) && name_key(image_string(img, name)) == key;
}

/* What is for such an address never comes to Fender. */
static int is_kernel_address(const struct image_header *img, const struct image_listener *l)
{
	const struct image_address *a = IMAGE_ARRAY(img, struct image_address, addresses);

	for (uint32_t i = 0; i < img->addresses.count; i++) {
		if ((a[i].flags & ADDRESS_KERNEL) && a[i].interface == l->interface &&
		    memcmp(&a[i].ip, &l->ip, sizeof(l->ip)) == 0)
			return 1;
	}
	return 0;
}

static int check_listener(const struct image_header *img, uint32_t n, const struct why *why)
{
	const struct image_listener *all = IMAGE_ARRAY(img, struct image_listener, listeners);
	const struct image_listener *l = &all[n];

	if (!name_has_key(img, l->name, l->key))
		return why_fail(why, -EINVAL, "listener %u: bad name or key", n);
	if (l->interface >= img->interfaces.count || l->cluster >= img->clusters.count)
		return why_fail(why, -EINVAL, "listener %u: interface %u or cluster %u", n,
				l->interface, l->cluster);
	if ((l->proto != PROTO_TCP && l->proto != PROTO_UDP) || l->port == 0 ||
	    !image_ip_ok(&l->ip, l->family))
		return why_fail(why, -EINVAL, "listener %u: bad protocol, port or address", n);
	if (l->pad)
		return why_fail(why, -EINVAL, "listener %u: padding is not zero", n);
	if (!image_listener_bulkhead_ok(&l->bulkhead))
		return why_fail(why, -EINVAL, "listener %u: bad bulkhead", n);
	if (!image_rate_limit_ok(l))
		return why_fail(why, -EINVAL, "listener %u: bad rate limit", n);
	if (is_kernel_address(img, l))
		return why_fail(why, -EINVAL, "listener %u: bound to an address of the kernel", n);
	if (n > 0 && image_listener_order(l - 1, l) >= 0)
		return why_fail(why, -EINVAL, "listener %u: out of order or twice", n);
	for (uint32_t k = 0; k < n; k++) {
		if (all[k].key == l->key)
			return why_fail(why, -EINVAL, "listeners %u and %u have one name", k, n);
	}
	return 0;
}

int image_check_listeners(const struct image_header *img, const struct why *why)
{
	int error = 0;

	for (uint32_t i = 0; i < img->listeners.count && !error; i++)
		error = check_listener(img, i, why);
	return error;
}

/* Algorithms that pick by the client's hash. */
static int by_hash(uint8_t algorithm)
{
	return algorithm == LB_MAGLEV || algorithm == LB_RING_HASH || algorithm == LB_RENDEZVOUS;
}

static int check_cluster(const struct image_header *img, uint32_t n, uint32_t first_endpoint,
			 const struct why *why)
{
	const struct image_cluster *all = IMAGE_ARRAY(img, struct image_cluster, clusters);
	const struct image_cluster *c = &all[n];

	if (!name_has_key(img, c->name, c->key))
		return why_fail(why, -EINVAL, "cluster %u: bad name or key", n);
	if (c->first_endpoint != first_endpoint ||
	    c->endpoint_count > img->endpoints.count - first_endpoint)
		return why_fail(why, -EINVAL, "cluster %u: endpoints %u + %u", n, c->first_endpoint,
				c->endpoint_count);
	if (c->algorithm >= LB_ALGORITHMS ||
	    (c->hash_on & ~(HASH_ON_SOURCE_IP | HASH_ON_SOURCE_PORT)) ||
	    (by_hash(c->algorithm) && c->hash_on == 0))
		return why_fail(why, -EINVAL, "cluster %u: bad algorithm or hash_on", n);
	if (c->pad0)
		return why_fail(why, -EINVAL, "cluster %u: padding is not zero", n);
	for (uint32_t k = 0; k < n; k++) {
		if (all[k].key == c->key)
			return why_fail(why, -EINVAL, "clusters %u and %u have one name", k, n);
	}
	return 0;
}

int image_check_clusters(const struct image_header *img, const struct why *why)
{
	const struct image_cluster *all = IMAGE_ARRAY(img, struct image_cluster, clusters);
	uint32_t endpoints = 0;

	for (uint32_t i = 0; i < img->clusters.count; i++) {
		int error = check_cluster(img, i, endpoints, why);

		if (!error)
			error = image_check_blocks(img, i, why);
		if (error)
			return error;
		endpoints += all[i].endpoint_count;
	}
	if (endpoints != img->endpoints.count)
		return why_fail(why, -EINVAL, "endpoints that belong to no cluster");
	return image_check_tables(img, why);
}

/* The endpoint's name and key are what its cluster, address and port make them. */
static int endpoint_named(const struct image_header *img, const struct image_cluster *c,
			  const struct image_endpoint *e)
{
	char name[ENDPOINT_NAME_BYTES];

	if (!image_name_ok(img, e->name, ENDPOINT_NAME_BYTES))
		return 0;
	endpoint_name(&e->ip, e->family, e->port, name);
	return strcmp(name, image_string(img, e->name)) == 0 &&
	       endpoint_key(image_string(img, c->name), name) == e->key;
}

/* The SNAT address is one of the interface's own. */
static int snat_is_ours(const struct image_header *img, const struct image_endpoint *e)
{
	const struct image_address *a = IMAGE_ARRAY(img, struct image_address, addresses);

	for (uint32_t i = 0; i < img->addresses.count; i++) {
		if (a[i].interface == e->interface && !(a[i].flags & ADDRESS_KERNEL) &&
		    memcmp(&a[i].ip, &e->snat, 16) == 0)
			return 1;
	}
	return 0;
}

static int check_endpoint(const struct image_header *img, const struct image_cluster *c, uint32_t k,
			  const struct why *why)
{
	const struct image_endpoint *all = IMAGE_ARRAY(img, struct image_endpoint, endpoints);
	const uint32_t n = c->first_endpoint + k;
	const struct image_endpoint *e = &all[n];

	if (e->interface >= img->interfaces.count || e->weight == 0 || e->weight > MAX_WEIGHT)
		return why_fail(why, -EINVAL, "endpoint %u: interface %u or weight %u", n,
				e->interface, e->weight);
	if (!image_ip_ok(&e->ip, e->family) || image_ip_unspecified(&e->ip, e->family) ||
	    e->port == 0 || !image_ip_ok(&e->next_hop, e->family) ||
	    image_ip_unspecified(&e->next_hop, e->family))
		return why_fail(why, -EINVAL, "endpoint %u: bad address, port or next hop", n);
	if (!image_ip_ok(&e->snat, e->family) || !snat_is_ours(img, e))
		return why_fail(why, -EINVAL,
				"endpoint %u: its SNAT address is not its interface's", n);
	if (!endpoint_named(img, c, e))
		return why_fail(why, -EINVAL, "endpoint %u: bad name or key", n);
	if (e->priority >= MAX_PRIORITIES || e->local > 1)
		return why_fail(why, -EINVAL, "endpoint %u: priority %u or zone", n, e->priority);
	if (e->pad0[0] || e->pad0[1] || e->pad0[2])
		return why_fail(why, -EINVAL, "endpoint %u: padding is not zero", n);
	if (k > 0 && image_endpoint_order(e - 1, e) >= 0)
		return why_fail(why, -EINVAL, "endpoint %u: out of order or twice", n);
	if (k > 0 && e[-1].family != e->family)
		return why_fail(why, -EINVAL, "endpoint %u: its cluster has both families", n);
	return 0;
}

/* An address is rewritten in place, so a listener and its endpoints are of one family. */
static int check_families(const struct image_header *img, const struct why *why)
{
	const struct image_listener *l = IMAGE_ARRAY(img, struct image_listener, listeners);
	const struct image_cluster *c = IMAGE_ARRAY(img, struct image_cluster, clusters);
	const struct image_endpoint *e = IMAGE_ARRAY(img, struct image_endpoint, endpoints);

	for (uint32_t i = 0; i < img->listeners.count; i++) {
		const struct image_cluster *its = &c[l[i].cluster];

		if (its->endpoint_count && e[its->first_endpoint].family != l[i].family)
			return why_fail(why, -EINVAL,
					"listener %u: its cluster is of the other family", i);
	}
	return 0;
}

/* What a cluster says of its endpoints, for those who do not want to look at each. */
static int check_summary(const struct image_header *img, uint32_t n, const struct why *why)
{
	const struct image_cluster *c = &IMAGE_ARRAY(img, struct image_cluster, clusters)[n];
	const struct image_endpoint *e =
		IMAGE_ARRAY(img, struct image_endpoint, endpoints) + c->first_endpoint;
	uint32_t weights = 0, local = 0, priorities = 1;

	for (uint32_t k = 0; k < c->endpoint_count; k++) {
		weights += e[k].weight;
		local += e[k].local;
		if (e[k].priority >= priorities)
			priorities = e[k].priority + 1u;
	}
	if (c->weight_sum != weights || c->balance.priorities != priorities ||
	    c->balance.has_zones != (local > 0 && local < c->endpoint_count))
		return why_fail(why, -EINVAL,
				"cluster %u: weight_sum, priorities or has_zones are wrong", n);
	return 0;
}

int image_check_endpoints(const struct image_header *img, const struct why *why)
{
	const struct image_cluster *c = IMAGE_ARRAY(img, struct image_cluster, clusters);

	for (uint32_t i = 0; i < img->clusters.count; i++) {
		int error;

		for (uint32_t k = 0; k < c[i].endpoint_count; k++) {
			error = check_endpoint(img, &c[i], k, why);
			if (error)
				return error;
		}
		error = check_summary(img, i, why);
		if (error)
			return error;
	}
	return check_families(img, why);
}
