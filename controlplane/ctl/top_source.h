/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks for the statistics: a thread, so that no key has to wait for an answer. */
#ifndef FENDER_CONTROLPLANE_CTL_TOP_SOURCE_H
#define FENDER_CONTROLPLANE_CTL_TOP_SOURCE_H

#include <jansson.h>

#include "controlplane/ctl/options.h"

struct top_source;

/**
 * top_source_create() - find the instance and ask for the first time
 * @first: the answer, the caller's
 * Return: 0, or the exit status after one line on stderr.
 */
int top_source_create(struct top_source **out, const struct options *options, json_t **first);

/* Go on asking every @ms. Return 0 or -errno. */
int top_source_start(struct top_source *source, long ms);

/* Readable when there is something to take. */
int top_source_fd(const struct top_source *source);

/**
 * top_source_take() - what came last
 * @answer: the caller's; NULL: the instance does not answer
 * Return: 0 when nothing has come since.
 */
int top_source_take(struct top_source *source, json_t **answer);

/* A request that a hung instance does not answer within a second is left to the process's end. */
void top_source_free(struct top_source *source);

#endif
