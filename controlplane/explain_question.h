/* SPDX-License-Identifier: Apache-2.0 */
/* What GET /explain is asked, from its words. Pure. */
#ifndef FENDER_CONTROLPLANE_EXPLAIN_QUESTION_H
#define FENDER_CONTROLPLANE_EXPLAIN_QUESTION_H

#include <stddef.h>

#include "dataplane/explain/explain.h"

/* As given; NULL: was not. */
struct explain_words {
	const char *protocol;
	const char *client;
	const char *destination;
	const char *interface;
	const char *cluster;
	const char *key;
};

/**
 * explain_question_make() - {protocol, client, destination} with or without interface, or
 * {cluster, key}
 * @q: image is set; everything of a packet is filled in
 * @any_interface: 1 when none was named: q->interface is the first
 * @why: at least 160 bytes; one sentence on failure
 * Return: 0; -EINVAL; -ENOENT: the policy has no such cluster or interface.
 */
int explain_question_make(struct explain_question *q, const struct explain_words *words,
			  int *any_interface, char *why, size_t why_size);

#endif
