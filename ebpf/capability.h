/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities of this process, for sentences that name the missing one. */
#ifndef FENDER_EBPF_CAPABILITY_H
#define FENDER_EBPF_CAPABILITY_H

#include <stddef.h>

/* What is needed; @stands_in (its own bit when nothing does) is enough, too. */
struct capability {
	unsigned int bit; /* CAP_… of linux/capability.h */
	unsigned int stands_in;
	const char *name;
};

/*
 * The first of @needed[@count] that this thread has not in effect. Return: its name; NULL: it has
 * them all, or they cannot be read.
 */
const char *capability_missing(const struct capability *needed, size_t count);

#endif
