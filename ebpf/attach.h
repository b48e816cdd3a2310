/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our XDP program on a network device. It is attached by the dataplane and outlives it, so that
 * what is Fender's is dropped and not answered by the kernel until the next one starts; the
 * control plane takes it away after a clean stop.
 *
 * How it is known as ours: it is pinned as "<root>/program-<index of the device>", and its id is
 * that of the attached one. It is pinned as "…-next" before it is attached, so there is no moment
 * at which a kill leaves one that nobody knows. Its xsks_map is pinned beside it as
 * "sockets-<device>-<build>", so that the same build goes on with what is attached: the
 * verifier takes longer than all else of a start. Not thread-safe.
 */
#ifndef FENDER_EBPF_ATTACH_H
#define FENDER_EBPF_ATTACH_H

#include <stddef.h>
#include <stdint.h>

enum { ATTACH_NAME_BYTES = 16 };

/* What a device carries. */
struct attach_found {
	uint32_t id;                  /* 0: no program */
	uint8_t ours;                 /* known by its pin */
	uint8_t free;                 /* left by a libxdp socket that may be gone */
	uint8_t generic;              /* runs behind the driver, on socket buffers */
	char name[ATTACH_NAME_BYTES]; /* "": not ours to read (CAP_SYS_ADMIN) */
};

/* A device that is not there carries nothing. Return: 0 or -errno. @root NULL: nothing is ours. */
int attach_look(const char *root, int if_index, struct attach_found *found);

/* A loaded program and its xsks_map; -1: none. */
struct attach_program {
	int program_fd;
	int sockets_fd;
};

/**
 * attach_reuse() - the attached program, if it is what loading would give
 * That is: ours, of this build, bound to the maps that are pinned in @root now.
 * Return: 0, then both descriptors are the caller's; -ENOENT.
 */
int attach_reuse(const char *root, int if_index, struct attach_program *program);

/**
 * attach_replace() - put a program on a device in place of ours, of libxdp's or of none
 * @program: the caller may close it afterwards. One that is attached already stays so.
 *
 * One step for the packets: each meets the old one or the new one. In the driver where it can, else
 * generic. libxdp's default program is replaced by whoever holds all queues of the device, since no
 * other socket can be behind it then.
 * Return: 0; -EBUSY: there is somebody else's, nothing has changed; -errno.
 */
int attach_replace(const char *root, int if_index, const struct attach_program *program);

/*
 * Detach every program pinned in @root where it is still the attached one, and unpin what
 * attach_replace() pinned. Devices are those of the caller's network namespace. A folder that is
 * not there is no error. Return: 0 or the first -errno, after all were tried.
 */
int attach_end(const char *root);

/* The same, but for the devices @kept[@count]: what a killed predecessor left on others. */
int attach_end_others(const char *root, const int *kept, size_t count);

#endif
