/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Create, open and address the shared region (layout in shm/layout.h).
 */
#ifndef FENDER_SHM_REGION_H
#define FENDER_SHM_REGION_H

#include <stddef.h>
#include <stdint.h>

#include "shm/conn.h"
#include "shm/layout.h"

enum { REGION_PAGE_BYTES = 4096 };

/* What a new region is sized by; all within shm/limits.h. */
struct region_spec {
	const char *instance;
	uint32_t workers;
	uint32_t connections; /* over all workers; each gets an equal part, rounded up */
	uint32_t listeners;   /* capacities */
	uint32_t clusters;
	uint32_t endpoints;
	uint32_t slot_bytes; /* rounded up to pages */
};

/*
 * Dimensions as stored in the header. What a mapped region is addressed by is a checked private
 * copy of them, never the shared words.
 */
struct region_shape {
	uint32_t workers;
	uint32_t connections_per_worker;
	uint32_t listener_slots;
	uint32_t cluster_slots;
	uint32_t endpoint_slots;
	uint32_t slot_bytes;
	uint32_t source_lines; /* a power of two: two words for each connection, see region_shape.c
				*/
};

/* A mapped region with its sections resolved. Pointers are into the mapping. */
struct region {
	struct region_header *header;
	struct region_shape shape;
	uint64_t bytes;
	uint64_t epoch;  /* of this writer, see publisher_begin(); 0 in a reader */
	uint64_t active; /* as this writer left header->active */
	int fd;
	uint8_t *slots[POLICY_SLOTS];
	struct registry_entry *listener_registry;
	struct registry_entry *cluster_registry;
	struct registry_entry *endpoint_registry;
	struct worker_block *workers;
	struct interface_counters *interface_counters;
	struct listener_counters *listener_counters;
	struct call_counters *cluster_counters;
	struct call_counters *endpoint_counters;
	struct port_status *ports;
	struct conn *connections;
	struct policy_counters *policy_counters;
	struct listener_state *listener_state;
	struct cluster_state *cluster_state;
	struct endpoint_state *endpoint_state;
	struct source_line *sources;
	struct outcomes *cluster_outcomes;
	struct outcomes *endpoint_outcomes;
	struct event_ring *events;
	struct interface_control *interfaces; /* [MAX_INTERFACES] */
	struct worker_limit_counters *limit_counters;
	struct flow_limit *flow_limits;
	struct source_limit_line *limit_sources; /* [shape.source_lines] */
	struct cluster_histograms *histograms;   /* see region_histograms() */
	struct histogram_block *histogram_blocks;
	struct kernel_neighbours *kernel_neighbours;
	struct capture_control *capture;
	struct capture_ring *capture_rings; /* [shape.workers] */
};

/* Bytes a region made by @spec takes on tmpfs; 0 when the spec is out of bounds. */
uint64_t region_bytes(const struct region_spec *spec);

/**
 * region_create() - make, allocate and map a new region
 * @path: file to create; an existing one is replaced atomically (rename), so that a
 *        process still mapping the old one is not disturbed
 * @why: at least 160 bytes; one sentence on failure
 *
 * The file is fully allocated (posix_fallocate): a full tmpfs fails here, not at a write.
 * Mode 0600. Creators of one path exclude each other. Return 0 or -errno (-EINVAL: the spec
 * is out of bounds); on failure nothing is left behind.
 */
int region_create(struct region *region, const char *path, const struct region_spec *spec,
		  char *why, size_t why_size);

/**
 * region_open() - map an existing region after checking it
 *
 * Checks size, magic, ABI, ready, checksum, boot id and every section (bounds, alignment,
 * expected element size and count) on a copy of the header before anything is used.
 * Return: 0; -ENOENT; -EPROTO another ABI; -ESTALE another boot; -EINVAL corrupt; -errno.
 */
int region_open(struct region *region, const char *path, char *why, size_t why_size);

/**
 * region_load() - a private copy of a region's file, to look at: of a dead instance, or a live one
 * whose words are then of instants a little apart
 *
 * Checked like region_open() does, but for the boot: @other_boot is set when it is of another
 * one. What the file says or becomes later cannot hurt, what is in the sections is not checked.
 * Return: 0; -errno, -EINVAL, -EPROTO with a sentence in @why. For region_close().
 */
int region_load(struct region *region, const char *path, int *other_boot, char *why,
		size_t why_size);

/* True when an open region has exactly the shape that @spec asks for. */
int region_matches(const struct region *region, const struct region_spec *spec);

/* Unmap and close. The file stays. */
void region_close(struct region *region);

static inline struct interface_counters *
region_interface_counters(const struct region *r, uint32_t worker, uint32_t interface)
{
	return &r->interface_counters[worker * MAX_INTERFACES + interface];
}

static inline struct listener_counters *region_listener_counters(const struct region *r,
								 uint32_t worker, uint32_t slot)
{
	return &r->listener_counters[(uint64_t)worker * r->shape.listener_slots + slot];
}

static inline struct call_counters *region_cluster_counters(const struct region *r, uint32_t worker,
							    uint32_t slot)
{
	return &r->cluster_counters[(uint64_t)worker * r->shape.cluster_slots + slot];
}

static inline struct call_counters *region_endpoint_counters(const struct region *r,
							     uint32_t worker, uint32_t slot)
{
	return &r->endpoint_counters[(uint64_t)worker * r->shape.endpoint_slots + slot];
}

static inline struct policy_counters *region_policy_counters(const struct region *r,
							     uint32_t worker, uint32_t slot)
{
	return &r->policy_counters[(uint64_t)worker * r->shape.cluster_slots + slot];
}

static inline struct outcomes *region_cluster_outcomes(const struct region *r, uint32_t worker,
						       uint32_t slot)
{
	return &r->cluster_outcomes[(uint64_t)worker * r->shape.cluster_slots + slot];
}

static inline struct outcomes *region_endpoint_outcomes(const struct region *r, uint32_t worker,
							uint32_t slot)
{
	return &r->endpoint_outcomes[(uint64_t)worker * r->shape.endpoint_slots + slot];
}

static inline struct conn *region_connections(const struct region *r, uint32_t worker)
{
	return &r->connections[(uint64_t)worker * r->shape.connections_per_worker];
}

static inline struct worker_limit_counters *region_limit_counters(const struct region *r,
								  uint32_t worker, uint32_t slot)
{
	return &r->limit_counters[(uint64_t)worker * r->shape.listener_slots + slot];
}

/* Of the connections at region_connections(), entry by entry. */
static inline struct flow_limit *region_flow_limits(const struct region *r, uint32_t worker)
{
	return &r->flow_limits[(uint64_t)worker * r->shape.connections_per_worker];
}

#endif
