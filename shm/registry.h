/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that have state. Written by the control plane only; read by both.
 *
 * An entry is free (key 0), live, or removed (key REGISTRY_REMOVED). A removed entry keeps the
 * probe sequences of others intact. Its generation field holds the CLOCK_MONOTONIC ns of its
 * removal until nobody writes its counters any more, then 0: only then is it used again.
 */
#ifndef FENDER_SHM_REGISTRY_H
#define FENDER_SHM_REGISTRY_H

#include <stdint.h>

#include "shm/layout.h"

enum { REGISTRY_NONE = 0xffffffffu, REGISTRY_CONFLICT = 0xfffffffeu };
enum { REGISTRY_FREE = 0, REGISTRY_REMOVED = 1 };

/* The entries of one kind and how many of them are not free, as their single writer sees them. */
struct registry {
	struct registry_entry *entries;
	uint32_t slots; /* a power of two */
	uint32_t used;  /* live and removed; at most half of the slots */
};

/* Key of an entry, for readers in any process: live when above REGISTRY_REMOVED. */
static inline uint64_t registry_key(const struct registry_entry *entry)
{
	/* Pairs with the release in registry_claim(): the name is complete. */
	return __atomic_load_n(&entry->key, __ATOMIC_ACQUIRE);
}

/* Slot of @key in a registry of @slots entries (a power of two), or REGISTRY_NONE. */
uint32_t registry_find(const struct registry_entry *entries, uint32_t slots, uint64_t key);

/* Count what is used. Writer only. */
struct registry registry_load(struct registry_entry *entries, uint32_t slots);

/**
 * registry_claim() - find or insert a name; mark it as named by @generation
 *
 * Single writer. Never more than half of the slots are used, so probing stays short.
 * Return: the slot; REGISTRY_NONE when half of the slots are taken; REGISTRY_CONFLICT when
 * another name has this key.
 */
uint32_t registry_claim(struct registry *registry, uint64_t key, const char *name,
			uint64_t generation);

/* Remove the live entry @slot: its state is idle and no policy names it. */
void registry_remove(struct registry *registry, uint32_t slot, uint64_t now_ns);

/* Let the removed entry @slot be used again: its counters are zero and stay so. */
void registry_recycle(struct registry *registry, uint32_t slot);

#endif
