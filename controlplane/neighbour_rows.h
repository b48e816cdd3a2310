/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of the mirror, with what the kernel says of them beyond the MAC address. Pure but for
 * the writes to the region.
 */
#ifndef FENDER_CONTROLPLANE_NEIGHBOUR_ROWS_H
#define FENDER_CONTROLPLANE_NEIGHBOUR_ROWS_H

#include "controlplane/neighbour_netlink.h"
#include "shm/kernel_neighbours.h"

struct neighbour_row {
	struct kernel_neighbour_value value;
	uint16_t nud; /* NUD_*, as told last */
	uint8_t flags;
	uint8_t seen; /* in the dump under way */
	uint32_t ext_flags;
};

struct neighbour_rows {
	struct kernel_neighbours *to;
	uint32_t next; /* where the search for a row to reuse begins */
	uint64_t full; /* neighbours that found no row */
	struct neighbour_row row[KERNEL_NEIGHBOURS];
};

/* Begin with what a control plane before has left in the region. */
void neighbour_rows_load(struct neighbour_rows *rows, struct kernel_neighbours *to);

/* NULL: not there. */
struct neighbour_row *neighbour_rows_find(struct neighbour_rows *rows, uint8_t interface,
					  const uint8_t ip[16]);

/* The kernel says so. Return: 1 when the region was written. */
int neighbour_rows_take(struct neighbour_rows *rows, uint8_t interface,
			const struct neighbour_news *news);

/* Write a row again: somebody has not got it. */
void neighbour_rows_repeat(struct neighbour_rows *rows, const struct neighbour_row *row);

/* Around a dump: what it did not name is gone. Return: how many. */
void neighbour_rows_unsee(struct neighbour_rows *rows);
uint32_t neighbour_rows_sweep(struct neighbour_rows *rows);

#endif
