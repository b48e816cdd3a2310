/* SPDX-License-Identifier: Apache-2.0 */
/* Where an instance keeps its files. */
#ifndef FENDER_CONTROLPLANE_PATHS_H
#define FENDER_CONTROLPLANE_PATHS_H

#include <stddef.h>

#define DEFAULT_RUN_DIR "/run/fender"
#define DEFAULT_SHM_DIR "/dev/shm"
#define DEFAULT_BPF_DIR "/sys/fs/bpf"
#define HISTORY_SUFFIX  ".generations"

enum {
	PATH_BYTES = 256,
	SOCKET_PATH_BYTES = 108, /* sun_path */
};

struct paths {
	char run_dir[PATH_BYTES];
	char socket[SOCKET_PATH_BYTES];      /* the admin API, for operators */
	char socket_ro[SOCKET_PATH_BYTES];   /* for readers; no other instance's: not *.sock */
	char lock[PATH_BYTES];               /* held by the control plane that writes the region */
	char dataplane_lock[PATH_BYTES + 8]; /* held by the live dataplane */
	char wake[PATH_BYTES];               /* FIFO: a byte wakes the dataplane's main thread */
	char region[PATH_BYTES];
	char routes[PATH_BYTES + 8];   /* withdrawn ones: service_routes.h */
	char program[PATH_BYTES + 8];  /* the one an upgrade brought: program_record.h */
	char history[PATH_BYTES + 16]; /* folder: how the last policy changes ended */
};

/**
 * paths_set() - fill @paths for an instance
 * @why: one sentence on failure
 * Return: 0; -EINVAL the name is no file name; -ENAMETOOLONG.
 */
int paths_set(struct paths *paths, const char *run_dir, const char *shm_dir, const char *instance,
	      char *why, size_t why_size);

/**
 * paths_absolute() - a file's path that means the same from everywhere
 *
 * Its folder's links are followed; the file's own are not, and it need not be there. Return: 0;
 * -ENAMETOOLONG; realpath()'s error when there is no such folder.
 */
int paths_absolute(const char *path, char *out, size_t size);

/**
 * paths_find_dataplane() - the program to supervise
 * @wanted: what the operator named, or NULL for the one beside this program
 * Return: 0; -ENOENT or -EACCES with a sentence in @why; -ENAMETOOLONG.
 */
int paths_find_dataplane(const char *wanted, char *path, size_t path_size, char *why,
			 size_t why_size);

#endif
