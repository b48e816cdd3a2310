/* SPDX-License-Identifier: Apache-2.0 */
/* The instances that earlier control planes have left in a folder. */
#ifndef FENDER_CONTROLPLANE_INSTANCES_H
#define FENDER_CONTROLPLANE_INSTANCES_H

#include <stddef.h>

enum { INSTANCES_LOOKED_AT = 256 };

/**
 * instances_of_file() - whose policy file it is, when the file itself does not say
 * @file: absolute, as given to generations_set_file()
 * @names: receives them as "a, b", as far as there is room
 *
 * Those with a history that names the file, a region, and no control plane at work. Entries of
 * the folders may be anybody's. Return: how many there are, of the INSTANCES_LOOKED_AT first.
 */
int instances_of_file(const char *run_dir, const char *shm_dir, const char *file, char *names,
		      size_t size);

#endif
