/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The XDP program as an object that is not loaded yet: which maps it shares. For the control plane,
 * which makes the maps and loads it, and for a dataplane of another build (ebpf/loaded.h).
 */
#ifndef FENDER_EBPF_OBJECT_H
#define FENDER_EBPF_OBJECT_H

#include <stddef.h>
#include <stdint.h>

#include <bpf/libbpf.h>

enum { OBJECT_PATH_BYTES = 256 };

/*
 * The program as it was built into this executable, opened and not loaded. For
 * bpf_object__close(). NULL: errno.
 */
struct bpf_object *object_open(void);

/* Whether @map is pinned and shared: all but xsks_map and what libbpf makes itself (.rodata). */
int object_map_is_shared(const struct bpf_map *map);

/* "<root>/<map's name>" into @path of OBJECT_PATH_BYTES. Return: 0, -ENAMETOOLONG. */
int object_pin_path(char *path, const char *root, const struct bpf_map *map);

/**
 * object_reuse() - use the pinned map in place of making one
 * @map: of an object that is open and not loaded; sized as wanted
 * Takes max_entries from the pin.
 * Return: 0; -ENOENT: no pin; -ESTALE: pinned is a map of other kind, key or value, of another
 * version of Fender; -errno.
 */
int object_reuse(struct bpf_map *map, const char *root);

/**
 * object_bind() - make an opened object use the maps that are pinned
 * @root: where the control plane has pinned the maps, see limits_open()
 *
 * Between bpf_object__open*() and bpf_object__load(); needs no more than CAP_BPF and access to
 * @root. The object's xsks_map stays its own.
 * Return: 0; as object_reuse(). @name, when not NULL, is set to the map that failed.
 */
int object_bind(struct bpf_object *object, const char *root, const char **name);

/**
 * object_load() - bpf_object__load() that says why not
 * @why: at least 256 bytes: one sentence with the last line of the verifier, or the capability
 * that is missing
 * Some 100 ms of verification. Return: 0 or -errno.
 */
int object_load(struct bpf_object *object, char *why, size_t why_size);

/**
 * object_missing_capability() - the first capability that loading needs and this process has not
 * libxdp's own program for AF_XDP sockets needs them too.
 * Return: its name, static; NULL: it has all of them.
 */
const char *object_missing_capability(void);

/* Tells one build of the program from another. One thread at a time. */
uint64_t object_build(void);

/* Whether a loaded program of this build uses the maps that are pinned now, and this xsks_map. */
int object_is_bound(int program_fd, int sockets_fd, const char *root);

#endif
