/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packet buffers: one mempool for all ports, in memory of our own. Buffers lie next to each
 * other without gaps, which is what the AF_XDP driver takes the pool for (it registers
 * buffers x size bytes with the kernel), on 2 MiB pages when there are some.
 */
#ifndef FENDER_DATAPLANE_POOL_H
#define FENDER_DATAPLANE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "shm/image.h"

struct rte_mempool;

struct pool_need {
	uint32_t buffers;
	uint32_t buffer_bytes; /* one buffer, its headers included; multiple of 64 */
	int iova_contiguous;   /* hardware reads and writes them: memory comes from EAL */
	uint32_t patience_ms;  /* 2 MiB pages in use may be free so long after the call */
};

struct pool {
	struct rte_mempool *mempool;
	void *memory; /* NULL: EAL's */
	size_t bytes;
	int hugetlb; /* on 2 MiB pages: physically contiguous enough for zero copy */
};

/* Largest MTU (IP bytes) of an AF_XDP interface: a frame and its headers fit one page. */
enum { POOL_XDP_MAX_MTU = 3500 };

/**
 * pool_buffer_bytes() - size of a buffer for frames of @mtu IP bytes
 * Room for the buffer's headers, the headroom, what XDP keeps for itself, and a tagged frame.
 */
uint32_t pool_buffer_bytes(uint32_t mtu);

/**
 * pool_create() - take and prepare the memory; after rte_eal_init()
 * Return: 0; -ENOMEM, with a sentence in @why.
 */
int pool_create(struct pool *pool, const struct pool_need *need, enum image_hugepages hugepages,
		char *why, size_t why_size);
void pool_destroy(struct pool *pool);

#endif
