/* SPDX-License-Identifier: Apache-2.0 */
/* Use an accepted image the way its readers do: every array, every index, every string. */
#ifndef FENDER_TESTS_IMAGE_WALK_H
#define FENDER_TESTS_IMAGE_WALK_H

#include <string.h>

#include "shm/image.h"

static inline uint64_t walk_network(const struct image_header *img)
{
	const struct image_interface *i = IMAGE_ARRAY(img, struct image_interface, interfaces);
	const struct image_address *a = IMAGE_ARRAY(img, struct image_address, addresses);
	const struct image_route *r = IMAGE_ARRAY(img, struct image_route, routes);
	const struct image_neighbour *n = IMAGE_ARRAY(img, struct image_neighbour, neighbours);
	uint64_t sum = strlen(image_string(img, img->sidecar.name));

	for (uint32_t k = 0; k < img->interfaces.count; k++)
		sum += strlen(image_string(img, i[k].name)) +
		       strlen(image_string(img, i[k].device)) + i[k].mtu;
	for (uint32_t k = 0; k < img->addresses.count; k++)
		sum += a[k].ip.b[15] + i[a[k].interface].vlan;
	for (uint32_t k = 0; k < img->routes.count; k++)
		sum += r[k].to.b[15] + r[k].via.b[15] + i[r[k].interface].vlan;
	for (uint32_t k = 0; k < img->neighbours.count; k++)
		sum += n[k].mac[5] + i[n[k].interface].vlan;
	return sum;
}

static inline uint64_t walk_cluster(const struct image_header *img, const struct image_cluster *c)
{
	const struct image_interface *i = IMAGE_ARRAY(img, struct image_interface, interfaces);
	const struct image_endpoint *e = IMAGE_ARRAY(img, struct image_endpoint, endpoints);
	const uint16_t *table = IMAGE_ARRAY(img, uint16_t, tables) + c->table_first;
	uint64_t sum = strlen(image_string(img, c->name)) +
		       strlen(image_string(img, c->health.path)) +
		       strlen(image_string(img, c->health.host)) +
		       strlen(image_string(img, c->source.name));

	for (uint32_t k = 0; k < c->table_count && c->algorithm == LB_RING_HASH; k++)
		sum += IMAGE_ARRAY(img, uint64_t, points)[c->point_first + k];
	for (uint32_t k = 0; k < c->table_count; k++)
		sum += e[c->first_endpoint + table[k]].weight;
	for (uint32_t k = 0; k < c->endpoint_count; k++) {
		const struct image_endpoint *it = &e[c->first_endpoint + k];

		sum += strlen(image_string(img, it->name)) + i[it->interface].snat_port_low;
	}
	return sum;
}

static inline uint64_t image_walk(const struct image_header *img)
{
	const struct image_interface *i = IMAGE_ARRAY(img, struct image_interface, interfaces);
	const struct image_listener *l = IMAGE_ARRAY(img, struct image_listener, listeners);
	const struct image_cluster *c = IMAGE_ARRAY(img, struct image_cluster, clusters);
	uint64_t sum = walk_network(img);

	for (uint32_t k = 0; k < img->listeners.count; k++)
		sum += l[k].rate_limit.packets.rate + l[k].rate_limit.listener.algorithm +
		       strlen(image_string(img, l[k].name)) + i[l[k].interface].vlan +
		       walk_cluster(img, &c[l[k].cluster]);
	for (uint32_t k = 0; k < img->clusters.count; k++)
		sum += walk_cluster(img, &c[k]);
	return sum;
}

#endif
