/* SPDX-License-Identifier: Apache-2.0 */
/* One sentence on failure, for whoever asked; for shm/ and controlplane/. */
#ifndef FENDER_SHM_WHY_H
#define FENDER_SHM_WHY_H

#include <stddef.h>

/* Where the sentence goes; at least 160 bytes. */
struct why {
	char *text;
	size_t bytes;
};

/* Write the sentence, cut to fit. Returns @error, so that a check can return it. */
int why_fail(const struct why *why, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
