/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pool.h"

#include <errno.h>
#include <linux/mman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <rte_errno.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

enum {
	CACHE = 256,        /* buffers a worker keeps to itself */
	XDP_HEADROOM = 256, /* XDP_PACKET_HEADROOM of the kernel */
	HUGE_BYTES = 2u << 20,
	MIN_CHUNK_BYTES = 2048, /* the kernel's least for AF_XDP */
	/* struct rte_mempool_objhdr, rounded up to a cache line, and struct rte_mbuf */
	HEADERS = 64 + sizeof(struct rte_mbuf),
};
_Static_assert(sizeof(struct rte_mempool_objhdr) <= 64, "one line before a buffer");

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

uint32_t pool_buffer_bytes(uint32_t mtu)
{
	uint32_t frame = mtu + RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN;
	uint32_t bytes = HEADERS + RTE_PKTMBUF_HEADROOM + XDP_HEADROOM + frame;

	if (bytes < MIN_CHUNK_BYTES)
		bytes = MIN_CHUNK_BYTES;
	return (uint32_t)round_up(bytes, 64);
}

static void *map_huge(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	/* A reservation can still fail (memory cgroup): now, not by SIGBUS at a packet. */
	if (madvise(memory, bytes, MADV_POPULATE_WRITE) != 0 && errno != EINVAL) {
		munmap(memory, bytes);
		return NULL;
	}
	return memory;
}

/* Ordinary pages; transparently huge ones where the system gives them on request. */
static void *map_small(size_t bytes, int huge_welcome)
{
	char *memory = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before, after;

	if (memory == MAP_FAILED)
		return NULL;
	before = round_up((uintptr_t)memory, HUGE_BYTES) - (uintptr_t)memory;
	after = HUGE_BYTES - before;
	if (before)
		munmap(memory, before);
	memory += before;
	if (after)
		munmap(memory + bytes, after);
	madvise(memory, bytes, huge_welcome ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return memory;
}

/* Does the system have so many pages of 2 MiB, free or not? */
static int has_huge(size_t pages)
{
	FILE *file = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "re");
	unsigned long all = 0;
	char line[32];

	if (!file)
		return 0;
	if (fgets(line, sizeof(line), file))
		all = strtoul(line, NULL, 10);
	fclose(file);
	return all >= pages;
}

static void *wait_for_huge(size_t bytes, uint32_t patience_ms)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	void *memory = map_huge(bytes);

	if (memory || !patience_ms || !has_huge(bytes / HUGE_BYTES))
		return memory;
	for (uint32_t ms = 0; ms < patience_ms && !memory; ms++) {
		nanosleep(&pause, NULL);
		memory = map_huge(bytes);
	}
	return memory;
}

static int take_memory(struct pool *pool, const struct pool_need *need,
		       enum image_hugepages hugepages, char *why, size_t why_size)
{
	const size_t bytes = (size_t)need->buffers * need->buffer_bytes;

	pool->bytes = round_up(bytes, HUGE_BYTES);
	if (hugepages != HUGEPAGES_NEVER) {
		pool->memory = wait_for_huge(pool->bytes, need->patience_ms);
		pool->hugetlb = pool->memory != NULL;
	}
	if (!pool->memory && hugepages == HUGEPAGES_ALWAYS) {
		snprintf(
			why, why_size,
			"sidecar.hugepages is always, but %zu pages of 2 MiB are not free: reserve "
			"them (/proc/sys/vm/nr_hugepages) or set it to auto",
			pool->bytes / HUGE_BYTES);
		return -ENOMEM;
	}
	if (!pool->memory) {
		pool->bytes = round_up(bytes, 4096);
		pool->memory = map_small(pool->bytes, hugepages == HUGEPAGES_AUTO);
	}
	if (!pool->memory) {
		snprintf(why, why_size, "no memory for %zu KiB of packet buffers", bytes / 1024);
		return -ENOMEM;
	}
	return 0;
}

static int fill_from(struct pool *pool, const struct pool_need *need)
{
	struct rte_mempool *mp;
	const unsigned int flags = RTE_MEMPOOL_F_NO_SPREAD | RTE_MEMPOOL_F_NO_IOVA_CONTIG;
	const uint32_t data_bytes = need->buffer_bytes - HEADERS;
	struct rte_pktmbuf_pool_private private = {.mbuf_data_room_size = (uint16_t)data_bytes};

	mp = rte_mempool_create_empty("fender", need->buffers, sizeof(struct rte_mbuf) + data_bytes,
				      CACHE, sizeof(private), SOCKET_ID_ANY, flags);
	if (!mp)
		return -rte_errno;
	pool->mempool = mp;
	if (rte_mempool_set_ops_byname(mp, "ring_mp_mc", NULL) != 0)
		return -ENOTSUP;
	rte_pktmbuf_pool_init(mp, &private);
	if (rte_mempool_populate_iova(mp, pool->memory, (rte_iova_t)(uintptr_t)pool->memory,
				      pool->bytes, NULL, NULL) != (int)need->buffers ||
	    rte_mempool_calc_obj_size(mp->elt_size, mp->flags, NULL) != need->buffer_bytes)
		return -ENOMEM;
	rte_mempool_obj_iter(mp, rte_pktmbuf_init, NULL);
	return 0;
}

static int fill_from_eal(struct pool *pool, const struct pool_need *need)
{
	pool->mempool =
		rte_pktmbuf_pool_create("fender", need->buffers, CACHE, 0,
					(uint16_t)(need->buffer_bytes - HEADERS), SOCKET_ID_ANY);
	return pool->mempool ? 0 : -rte_errno;
}

int pool_create(struct pool *pool, const struct pool_need *need, enum image_hugepages hugepages,
		char *why, size_t why_size)
{
	int rc;

	memset(pool, 0, sizeof(*pool));
	if (need->iova_contiguous) {
		rc = fill_from_eal(pool, need);
	} else {
		rc = take_memory(pool, need, hugepages, why, why_size);
		if (rc)
			return rc;
		rc = fill_from(pool, need);
	}
	if (rc) {
		snprintf(why, why_size, "no memory for %u packet buffers of %u bytes: %s",
			 need->buffers, need->buffer_bytes, strerror(-rc));
		pool_destroy(pool);
	}
	return rc;
}

void pool_destroy(struct pool *pool)
{
	rte_mempool_free(pool->mempool);
	if (pool->memory)
		munmap(pool->memory, pool->bytes);
	memset(pool, 0, sizeof(*pool));
}
