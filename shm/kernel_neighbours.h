/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Next hops of shared interfaces, which the kernel knows: a copy of its table that the control
 * plane writes, and what workers wish to be resolved.
 *
 * A row is read while it may be written: its version is odd meanwhile and another one afterwards.
 * A writer that dies leaves it odd; then readers go on with what they have, and the next
 * writer's kernel_neighbours_begin() makes it readable again.
 */
#ifndef FENDER_SHM_KERNEL_NEIGHBOURS_H
#define FENDER_SHM_KERNEL_NEIGHBOURS_H

#include <stdint.h>

#include "shm/limits.h"

enum {
	KERNEL_NEIGHBOURS = 1024, /* the kernel's own default bound, gc_thresh3 */
	NEIGHBOUR_WISHES = 32,    /* of one worker at once; a power of two */
};

enum kernel_neighbour_state {
	KERNEL_NEIGHBOUR_NONE = 0,
	KERNEL_NEIGHBOUR_KNOWN, /* has a MAC address */
	KERNEL_NEIGHBOUR_GONE,  /* deleted, or does not answer */
};

/* Writer: the control plane. */
struct kernel_neighbour {
	uint32_t version; /* odd: being written */
	uint32_t pad;
	uint64_t word; /* mac:48 | interface:8 | enum kernel_neighbour_state:8 */
	uint64_t ip[2];
};
_Static_assert(sizeof(struct kernel_neighbour) == 32, "ABI");

struct neighbour_wish {
	uint64_t ip[2];
	uint64_t interface;
};

/* A ring from one worker to the control plane; a full one loses the new wish. */
struct neighbour_wishes {
	uint32_t written; /* the worker; wraps */
	uint32_t lost;
	uint32_t pad0[14];
	uint32_t taken; /* the control plane; wraps */
	uint32_t pad1[15];
	struct neighbour_wish wish[NEIGHBOUR_WISHES];
};
_Static_assert(sizeof(struct neighbour_wishes) == 128 + 24 * NEIGHBOUR_WISHES, "ABI");

struct kernel_neighbours {
	uint64_t changes; /* of rows; the control plane */
	uint64_t pad[7];
	struct kernel_neighbour row[KERNEL_NEIGHBOURS];
	struct neighbour_wishes wishes[MAX_WORKERS];
};
_Static_assert(sizeof(struct kernel_neighbours) ==
		       64 + 32 * KERNEL_NEIGHBOURS + MAX_WORKERS * sizeof(struct neighbour_wishes),
	       "ABI");

/* A row's contents, by themselves. */
struct kernel_neighbour_value {
	uint8_t ip[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t mac[6];
	uint8_t interface; /* row of the policy's interfaces */
	uint8_t state;     /* enum kernel_neighbour_state */
};

/* Before the first write of a new writer. */
void kernel_neighbours_begin(struct kernel_neighbours *k);

/* One writer. @row < KERNEL_NEIGHBOURS. */
void kernel_neighbour_write(struct kernel_neighbours *k, uint32_t row,
			    const struct kernel_neighbour_value *value);

/**
 * kernel_neighbour_read() - a row that has changed
 * @version: of the reading before, 0 at first; set to this one's
 * Return: 1; 0 when it is the same, or being written. Any process; believe nothing in *value.
 */
int kernel_neighbour_read(const struct kernel_neighbours *k, uint32_t row, uint32_t *version,
			  struct kernel_neighbour_value *value);

/* The worker's side. Return: 0, or -ENOSPC (counted in lost). */
int neighbour_wish_add(struct neighbour_wishes *w, uint8_t interface, const uint8_t ip[16]);

/* The control plane's side. Return: 1 with a wish, 0 when there is none. */
int neighbour_wish_take(struct neighbour_wishes *w, uint8_t *interface, uint8_t ip[16]);

#endif
