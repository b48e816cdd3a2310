/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The XDP program, loaded once for all devices and all starts: whoever loads it, the control plane
 * as a rule, pins it as "<root>/loaded-<build>" and its xsks_map as
 * "<root>/loaded-<build>-sockets". The verifier takes longer than all else of a start.
 */
#ifndef FENDER_EBPF_LOADED_H
#define FENDER_EBPF_LOADED_H

#include <bpf/libbpf.h>

#include "ebpf/attach.h"

/* Descriptors of a loaded object's program and xsks_map, the caller's. Return: 0, -EMFILE. */
int loaded_take(struct attach_program *program, const struct bpf_object *object);

/* Pin those of a loaded object in place of what is pinned. Without effect when it fails. */
void loaded_pin(const char *root, const struct bpf_object *object);

/*
 * What is pinned, if it is of this build and bound to the maps that are pinned in @root now.
 * Return: 0, then both descriptors are the caller's; -ENOENT.
 */
int loaded_open(const char *root, struct attach_program *program);

/* Remove the pins of all builds. Return: 0 or -errno. */
int loaded_unpin(const char *root);

#endif
