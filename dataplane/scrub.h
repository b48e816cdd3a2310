/* SPDX-License-Identifier: Apache-2.0 */
/* Entries that were written over and that no packet and no timer meets are looked for. */
#ifndef FENDER_DATAPLANE_SCRUB_H
#define FENDER_DATAPLANE_SCRUB_H

struct worker;

/*
 * Once a turn: the next few entries; those that say something else than the worker knows of them
 * are ended (flow_damaged()). SCRUB_PER_MS a millisecond, so a table of 16 Ki takes 8 s.
 */
void scrub_run(struct worker *w);

#endif
