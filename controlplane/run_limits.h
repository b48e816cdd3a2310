/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limiter's maps in the life of `fender run`: made before the dataplane starts, filled with
 * each generation before it is published, removed after a clean stop. The loop's thread.
 */
#ifndef FENDER_CONTROLPLANE_RUN_LIMITS_H
#define FENDER_CONTROLPLANE_RUN_LIMITS_H

#include "shm/image.h"

struct limits;
struct limits_report;
struct run;
struct run_limits;

/*
 * The step of the start: says in region->interfaces what the dataplane shall do, unless one runs
 * already, which keeps what it was started with.
 */
int run_open_limits(struct run *run);
/* Detach and unpin everything, unless a dataplane still runs. */
void run_close_limits(struct run *run);
/*
 * Interfaces or addresses get other numbers: new maps will be made. Programs that are attached go
 * by the old ones until the dataplane replaces them.
 */
void run_limits_forget(const struct run *run);
/* Before the dataplane starts: new maps know the connections that are there. */
void run_limits_seed(struct run *run);
/* When the loop has closed all handles. */
void run_free_limits(struct run *run);

/* reloader_config.stage; @ctx is the struct run. */
int run_limits_stage(void *ctx, const struct image_header *image, uint64_t generation, char *why,
		     size_t why_size);

/*
 * No dataplane will come back (@lost), or one may: its packets go to the kernel, or are dropped.
 * Return: 0, or what limits_apply() returns; told in the log.
 */
int run_limits_lost(struct run *run, int lost);

/* Where the dataplane finds its maps; NULL: it needs none. Valid as long as @run. */
const char *run_limits_root(const struct run *run);

/* NULL: none. */
const struct limits *run_limits_maps(const struct run *run);

/* Why `limiter: auto` became dpdk on AF_XDP; NULL: it did not. */
const char *run_limits_fallback(const struct run *run);

/*
 * A report of the limited connections (limits_measure.h): @done gets it after a pause, unless the
 * loop ends before. Return: 0, -ENOMEM.
 */
int run_limits_ask(struct run *run, void (*done)(void *ctx, const struct limits_report *report),
		   void *ctx);

#endif
