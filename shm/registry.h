/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that have state. Written by the control plane only; read by both.
 */
#ifndef FENDER_SHM_REGISTRY_H
#define FENDER_SHM_REGISTRY_H

#include <stdint.h>

#include "shm/layout.h"

enum { REGISTRY_NONE = 0xffffffffu };

/* Slot of @key in a registry of @slots entries (a power of two), or REGISTRY_NONE. */
uint32_t registry_find(const struct registry_entry *entries, uint32_t slots, uint64_t key);

/**
 * registry_claim() - find or insert a name; mark it as named by @generation
 *
 * Single writer. Never more than half of the slots are used, so probing stays short.
 * Return: the slot, or REGISTRY_NONE when half of the slots are taken.
 */
uint32_t registry_claim(struct registry_entry *entries, uint32_t slots, uint64_t key,
			const char *name, uint64_t generation);

/*
 * Removing a name (its counters must read as closed first) keeps the probe sequences of others
 * intact: the entry becomes a tombstone that only registry_claim() reuses.
 */
void registry_remove(struct registry_entry *entries, uint32_t slots, uint32_t slot);

#endif
