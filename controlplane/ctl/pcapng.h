/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captured packets as a pcapng file: nanoseconds, one interface block for each name, direction as
 * flags, verdict as the packet's comment, what was lost before a packet as its drop count.
 */
#ifndef FENDER_CONTROLPLANE_CTL_PCAPNG_H
#define FENDER_CONTROLPLANE_CTL_PCAPNG_H

#include <stdint.h>
#include <stdio.h>

#include "controlplane/ctl/captured.h"

enum { PCAPNG_INTERFACES = 32, PCAPNG_NAME_BYTES = 64 };

struct pcapng {
	FILE *out;
	uint64_t lost; /* before the next packet */
	uint32_t interfaces;
	char interface[PCAPNG_INTERFACES][PCAPNG_NAME_BYTES];
};

/* Both flush. Return: 0, -errno of the file. */
int pcapng_begin(struct pcapng *p, FILE *out);
int pcapng_packet(struct pcapng *p, const struct captured *c);

#endif
