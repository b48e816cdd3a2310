/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of controlplane/limits*.c share. */
#ifndef FENDER_CONTROLPLANE_LIMITS_PRIVATE_H
#define FENDER_CONTROLPLANE_LIMITS_PRIVATE_H

#include "controlplane/limits.h"

struct bpf_object;

/* Descriptors of the maps; the object owns them. */
struct limits_fds {
	int config;
	int interfaces;
	int addresses;
	int listeners;
	int listener_rules;
	int listener_words;
	int connections4;
	int connections6;
	int snat_owner;
	int snat_flows;
	int counters;
	int verdict_times;
};

struct limits {
	struct bpf_object *object;
	struct limits_fds fd;
	struct limit_config *config; /* mapped; this process is its only writer */
	const uint64_t *snat_owner;  /* mapped, sizes.snat_ports words; workers write */
	struct limits_sizes sizes;
	uint32_t entries; /* of connections4 and connections6 */
	uint32_t cpus;    /* possible ones: copies of a row of counters */
};

#endif
