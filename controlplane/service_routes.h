/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes that lead into Fender, for on_dataplane_loss: pass. Whoever set up the pod made them; they
 * are known by their device: the other end of a veth whose one end is an exclusive AF_XDP
 * interface of the policy, both in this network namespace. The kernel's own (of the device's
 * addresses) and those of several paths stay.
 */
#ifndef FENDER_CONTROLPLANE_SERVICE_ROUTES_H
#define FENDER_CONTROLPLANE_SERVICE_ROUTES_H

#include <stddef.h>

#include "shm/image.h"

/**
 * service_routes_withdraw() - remove them, after saving them to the file @path
 * What the file says already stays said. Blocks for milliseconds, at most some seconds.
 * @why: at least 160 bytes
 * Return: how many were removed, or -errno with a sentence in @why: some may be removed, all
 * that are stand in the file.
 */
int service_routes_withdraw(const struct image_header *policy, const char *path, char *why,
			    size_t why_size);

/* Put back what @path says, and remove it. Return: how many; 0: no such file; -errno likewise. */
int service_routes_restore(const char *path, char *why, size_t why_size);

#endif
