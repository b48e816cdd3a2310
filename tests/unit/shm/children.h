/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes that publish and adopt, and what must hold whatever became of them. */
#ifndef FENDER_TESTS_SHM_CHILDREN_H
#define FENDER_TESTS_SHM_CHILDREN_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shm/publish.h"
#include "tests/unit/shm/sample_image.h"

static inline uint64_t active(const struct region *region)
{
	return __atomic_load_n(&region->header->active, __ATOMIC_SEQ_CST);
}

/* Adopt as a freshly started reader; returns the generation, 0 when anything is wrong. */
static inline uint64_t adopt_whole(struct region *region)
{
	struct image_header *image;
	uint64_t refused, generation;
	char why[160];

	if (adopt(region, 0, &image, &refused, why, sizeof(why)) != 1) {
		printf("refused: %s\n", why);
		return 0;
	}
	generation = sample_is_whole(image) ? image->generation : 0;
	free(image);
	return generation;
}

static inline pid_t start_child(void (*body)(uint32_t), uint32_t argument)
{
	pid_t child = fork();

	if (child == 0) {
		body(argument);
		_exit(0);
	}
	return child;
}

#endif
