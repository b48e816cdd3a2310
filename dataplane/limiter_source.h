/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of sources in the region (shm/limit_counters.h struct source_limit_line), shared by
 * all workers. A source is looked for in one line, of four entries.
 *
 * Accepted: a start that is judged while another worker gives its source's entry to another
 * source is taken from that one's word.
 */
#ifndef FENDER_DATAPLANE_LIMITER_SOURCE_H
#define FENDER_DATAPLANE_LIMITER_SOURCE_H

#include "dataplane/limiter_rules.h"
#include "shm/limit_counters.h"

struct limiter_sources {
	struct source_limit_line *lines;
	uint32_t count; /* of lines, a power of two */
	uint64_t seed;  /* so that a stranger cannot aim at one line */
};

enum limiter_source_kind {
	SOURCE_NONE,  /* others kept changing the line */
	SOURCE_KNOWN, /* take from its word */
	SOURCE_NEW,   /* likewise; the word was just begun, full */
	SOURCE_COLD,  /* begun, empty but for this start: nothing is to be taken */
};

/* A start to be judged. */
struct limiter_source {
	struct image_ip ip;
	uint16_t slot; /* of the listener */
	uint64_t now_ns;
};

/**
 * limiter_source_word() - the word of a source of a listener's connections
 * @rules: of all listeners, by slot
 * @word: set unless SOURCE_NONE
 */
enum limiter_source_kind limiter_source_word(const struct limiter_sources *s,
					     const struct limiter_policy *rules,
					     const struct limiter_source *source, uint64_t **word);

#endif
