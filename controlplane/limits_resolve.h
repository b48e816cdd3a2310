/* SPDX-License-Identifier: Apache-2.0 */
/* Who enforces the limits of an interface, and which XDP program stands before it. Pure. */
#ifndef FENDER_CONTROLPLANE_LIMITS_RESOLVE_H
#define FENDER_CONTROLPLANE_LIMITS_RESOLVE_H

#include "shm/image.h"
#include "shm/layout.h"

/*
 * The program is wanted: by `limiter: xdp`, or auto on AF_XDP. Or needed, where nothing can stand
 * in for it: `limiter: xdp`, a shared interface, or addresses of the kernel's on an exclusive one.
 */
int limits_wants_program(const struct image_header *image, uint32_t interface);
int limits_needs_program(const struct image_header *image, uint32_t interface);

/* What needs it, for a sentence: "limiter: xdp", "shared: true", "kernel_addresses". */
const char *limits_need(const struct image_header *image, uint32_t interface);

/**
 * limits_resolve() - how a dataplane that starts shall open @interface
 * @have_maps: limits_open() succeeded; else auto means dpdk. Not without where the program is
 *             needed.
 */
void limits_resolve(struct interface_control *out, const struct image_header *image,
		    uint32_t interface, int have_maps);

/* "xdp", "dpdk", "none"; LIMITER_AUTO: "auto". */
const char *limiter_name(uint32_t limiter);

#endif
