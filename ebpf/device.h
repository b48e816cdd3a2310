/* SPDX-License-Identifier: Apache-2.0 */
/* Which interface of the policy a network device is, for the XDP program: the map "devices". */
#ifndef FENDER_EBPF_DEVICE_H
#define FENDER_EBPF_DEVICE_H

#include <stdint.h>

/**
 * device_set() - say so of one device, before the program is attached to it
 * @root: where the maps are pinned
 * @row: of "interfaces", below LIMIT_INTERFACES
 *
 * A slot of a device that does not carry our program any more is taken.
 * Return: 0; -ENOSPC: LIMIT_DEVICE_TRIES others have its slots; -errno. Not thread-safe.
 */
int device_set(const char *root, int if_index, uint32_t row);

#endif
