/* SPDX-License-Identifier: Apache-2.0 */
/* A compiled policy and a region for it. */
#ifndef FENDER_TESTS_UNIT_CONTROLPLANE_FIXTURE_H
#define FENDER_TESTS_UNIT_CONTROLPLANE_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "shm/publish.h"
#include "shm/region.h"

#define FIXTURE_POLICY                                                                            \
	"version: 1\n"                                                                            \
	"sidecar: {name: unit, workers: 2, connections: 128, max_listeners: 4, max_clusters: 4, " \
	"max_endpoints: 8, policy_slot: 64KiB}\n"                                                 \
	"interfaces:\n"                                                                           \
	"  - {name: app, device: 'af_xdp:fnd1', addresses: [10.0.0.1/24], mtu: 1500}\n"           \
	"  - {name: net, device: 'af_xdp:eth9', addresses: [10.1.0.1/24], gateway: 10.1.0.254}\n" \
	"listeners:\n"                                                                            \
	"  - {name: web, bind: '10.0.0.1:80', interface: app, protocol: tcp, cluster: web}\n"     \
	"  - {name: dns, bind: '10.0.0.1:53', interface: app, protocol: udp, cluster: dns}\n"     \
	"clusters:\n"                                                                             \
	"  - name: web\n"                                                                         \
	"    endpoints: [{address: '10.1.0.11:80', weight: 2}, {address: '10.1.0.12:80'}]\n"      \
	"  - name: dns\n"                                                                         \
	"    endpoints: [{address: '10.1.0.13:53'}]\n"

static inline struct image_header *fixture_compile(const char *text)
{
	struct diagnostics *d = diagnostics_create("test.yaml");
	struct image_header *image = config_compile(text, strlen(text), d);

	diagnostics_print(d, stderr);
	diagnostics_free(d);
	if (!image)
		abort();
	return image;
}

/* The fixture's policy with the first @from replaced by @to. */
static inline struct image_header *fixture_compile_with(const char *from, const char *to)
{
	static const char policy[] = FIXTURE_POLICY;
	const char *at = strstr(policy, from);
	char text[sizeof(policy) + 512];

	if (!at)
		abort();
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - policy), policy, to, at + strlen(from));
	return fixture_compile(text);
}

/* A region that @image is published in, already without a name in the file system. */
static inline void fixture_region(struct region *region, const struct image_header *image)
{
	struct region_spec spec = {
		.instance = "unit",
		.workers = image->sidecar.workers,
		.connections = image->sidecar.connections,
		.listeners = image->sidecar.listeners,
		.clusters = image->sidecar.clusters,
		.endpoints = image->sidecar.endpoints,
		.slot_bytes = image->sidecar.slot_bytes,
	};
	uint64_t generation;
	char path[64];
	char why[160];

	snprintf(path, sizeof(path), "/dev/shm/fender-unit-control-%d", (int)getpid());
	if (region_create(region, path, &spec, why, sizeof(why))) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	unlink(path);
	publisher_begin(region);
	if (publish(region, image, 1, &generation))
		abort();
}

#endif
