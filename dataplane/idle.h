/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sleeping without losing a packet: a worker with nothing to do spins for a while,
 * then arms, looks once more, and sleeps on the descriptors of its queues, its own
 * eventfd and the next timer.
 */
#ifndef FENDER_DATAPLANE_IDLE_H
#define FENDER_DATAPLANE_IDLE_H

#include <stdint.h>

struct ports;

#define IDLE_MAX_SLEEP_NS 100000000ull /* the heartbeat of a sleeping worker */

struct idle {
	int event_fd;
	int epoll_fd;
	uint8_t can_sleep; /* every queue of the worker has a descriptor, policy is adaptive */
	uint64_t spin_ns;
	uint64_t last_work_ns;
	uint32_t sleeping __attribute__((aligned(64))); /* others read it before waking */
};

/**
 * idle_init() - make ready to sleep
 * @ports: started; NULL in a worker without any
 * @queue: which queue of every port the worker polls
 * @poll: never sleep
 * Return: 0 or -errno, then nothing is left open.
 */
int idle_init(struct idle *idle, const struct ports *ports, uint32_t queue, int poll,
	      uint32_t spin_us);
void idle_close(struct idle *idle);

/*
 * Protocol: 1. idle_arm() 2. look at all rings once more 3. idle_sleep() or idle_disarm().
 * idle_arm() ends with a seq_cst fence; a producer stores its item, then idle_wake().
 */
void idle_arm(struct idle *idle);
void idle_disarm(struct idle *idle);

/*
 * Sleep until a queue is readable, idle_wake(), or until_ns (CLOCK_MONOTONIC), at most
 * IDLE_MAX_SLEEP_NS. May return early. A queue whose device vanished no longer wakes.
 */
void idle_sleep(struct idle *idle, uint64_t now_ns, uint64_t until_ns);

/* Wake the worker if it sleeps: one seq_cst fence and a load when it does not. Any thread. */
void idle_wake(struct idle *idle);

#endif
