/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which listener each SNAT port works for, told to the XDP program: one word a port in the pinned
 * array snat_owner (ebpf/maps.h), mapped into this process. A port without an owner is not
 * Fender's: on a shared interface the kernel gets its packets. So a word is stored before the
 * first packet leaves by the port, and cleared when the port rests no longer.
 *
 * A port belongs to one worker, which is the only writer of its word. Neighbouring ports belong to
 * different workers and share lines: a miss per opened connection is what that costs.
 */
#ifndef FENDER_DATAPLANE_SNAT_OWNER_H
#define FENDER_DATAPLANE_SNAT_OWNER_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>

#include "ebpf/maps.h"
#include "shm/conn.h"
#include "shm/image.h"

struct ports;

/* Ports low..high of one address and protocol lie from place first on. low > high: none. */
struct snat_range {
	uint32_t first;
	uint16_t low;
	uint16_t high;
};

struct snat_owners {
	uint64_t *words; /* NULL: no interface has our XDP program */
	uint32_t count;
	uint32_t addresses;
	struct snat_range (*range)[2]; /* [address of the image][tcp, udp] */
	uint64_t *adopted;             /* a bit a place, until the sweep */
};

/**
 * snat_owners_open() - map the array and look up where our addresses' ports are in it
 * @ports: interfaces are probed; those with our program count
 * Nothing to do is no error. Return: 0 or -errno with a sentence; then nothing is held.
 */
int snat_owners_open(struct snat_owners *owners, const struct ports *ports,
		     const struct image_header *image, char *why, size_t why_size);
void snat_owners_close(struct snat_owners *owners);

/* The word of a connection's SNAT port, or NULL. */
static inline uint64_t *snat_owner_word(const struct snat_owners *o, const struct conn *c)
{
	const struct snat_range *r;
	uint16_t port = be16toh(c->rev.dport);

	if (__builtin_expect(!o->words, 1) || c->snat_address >= o->addresses)
		return NULL;
	r = &o->range[c->snat_address][c->rev.proto == PROTO_UDP];
	return port >= r->low && port <= r->high ? &o->words[r->first + (port - r->low)] : NULL;
}

/*
 * The port of @c is taken for its listener; ports that serve several endpoints belong to the last
 * one stored. @epoch: not 0, another one at every taking. The owning worker.
 */
static inline void snat_owner_take(const struct snat_owners *o, const struct conn *c,
				   uint32_t epoch)
{
	uint64_t *word = snat_owner_word(o, c);

	if (word) /* read by the XDP program, which meets it after the packet it allows for */
		__atomic_store_n(word, LIMIT_OWNER(c->listener, epoch), __ATOMIC_RELEASE);
}

/* Nobody uses the port any more. The owning worker. */
static inline void snat_owner_clear(const struct snat_owners *o, const struct conn *c)
{
	uint64_t *word = snat_owner_word(o, c);

	if (word)
		__atomic_store_n(word, 0, __ATOMIC_RELEASE);
}

/*
 * After a restart, main thread, before the workers run: snat_owner_adopt() for every connection
 * that goes on and has a port (tombstones and resting ones too), then snat_owner_sweep() once,
 * which clears the words of all others. A word that is right already stays, and its bucket goes on;
 * none is cleared in between, so a shared interface loses no packet to the kernel.
 * The sweep is linear in the ports: 0.1 ms for 64 Ki.
 */
void snat_owner_adopt(struct snat_owners *owners, const struct conn *c, uint32_t epoch);
void snat_owner_sweep(struct snat_owners *owners);

#endif
