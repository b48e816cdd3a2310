/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many packet buffers a policy needs: what the dataplane takes at start and what
 * `fender check` says beforehand.
 */
#ifndef FENDER_SHM_BUFFERS_H
#define FENDER_SHM_BUFFERS_H

#include <stdint.h>

#include "shm/image.h"

enum buffer_needs {
	BUFFERS_WORKER = 1024,             /* its cache, bursts, frames waiting for a next hop */
	BUFFERS_HANDOFF = 1024,            /* in rings to and from other workers, a worker */
	BUFFERS_AF_XDP_QUEUE = 2048 + 512, /* fill ring (the driver's fixed size), being sent */
	BUFFERS_DEVICE_QUEUE = 2 * 1024,   /* receive and transmit descriptors */

	BUFFER_MIN_BYTES = 2048, /* the kernel's least for AF_XDP */
	/* mempool and mbuf headers, DPDK's headroom, XDP's headroom, Ethernet and VLAN headers */
	BUFFER_OVERHEAD_BYTES = 64 + 128 + 128 + 256 + 14 + 4,
	BUFFER_ALIGN = 64,
};

/* Buffers of the workers themselves. */
static inline uint32_t buffers_of_workers(uint32_t workers)
{
	return workers * (BUFFERS_WORKER + (workers > 1 ? BUFFERS_HANDOFF : 0));
}

/* Buffers of one queue of an interface. */
static inline uint32_t buffers_of_queue(enum image_device kind)
{
	return kind == DEVICE_AF_XDP ? BUFFERS_AF_XDP_QUEUE : BUFFERS_DEVICE_QUEUE;
}

/* Size of a buffer for packets of @mtu IP bytes. */
static inline uint32_t buffer_bytes(uint32_t mtu)
{
	uint32_t bytes = mtu + BUFFER_OVERHEAD_BYTES;

	if (bytes < BUFFER_MIN_BYTES)
		bytes = BUFFER_MIN_BYTES;
	return (bytes + BUFFER_ALIGN - 1) / BUFFER_ALIGN * BUFFER_ALIGN;
}

#endif
