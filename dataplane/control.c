/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/control.h"

#include "dataplane/clock.h"
#include "dataplane/log.h"
#include "dataplane/port.h"
#include "dataplane/restart.h"
#include "dataplane/run_files.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shm/publish.h"

enum {
	FIRST_POLICY_MS = 10000,
	REPORT_MS = 200, /* heartbeat and port state */
	SETTLE_MS = 1,   /* while workers move to a new policy */
	WHY_BYTES = 192,
};

void control_heartbeat(struct control *c)
{
	__atomic_store_n(&c->region->header->dataplane_heartbeat_ns, clock_ns(), __ATOMIC_RELAXED);
}

/* Wait for the FIFO or a signal. Return 1 when we are to stop. */
static int wait_ms(struct control *c, int ms)
{
	struct pollfd fds[] = {{.fd = c->wake_fd, .events = POLLIN},
			       {.fd = c->signal_fd, .events = POLLIN}};

	if (poll(fds, 2, ms) > 0 && fds[0].revents)
		wake_fifo_drain(c->wake_fd);
	return fds[1].revents != 0;
}

static void refuse(struct control *c, uint64_t generation, enum nack_reason reason,
		   const char *text)
{
	log_line(LOG_LEVEL_ERROR, "event=policy_refused generation=%llu why=\"%s\"",
		 (unsigned long long)generation, text);
	c->seen = generation;
	adopt_nack(c->region, generation, reason, text);
}

/* The region is sized by the policy it was made for. */
static int fits_region(const struct region *region, const struct image_header *image)
{
	const struct region_shape *shape = &region->shape;

	return image->sidecar.workers == shape->workers &&
	       image->listeners.count <= shape->listener_slots &&
	       image->clusters.count <= shape->cluster_slots &&
	       image->endpoints.count <= shape->endpoint_slots;
}

/* Copy, judge and bind what is published. Return 1 with *out, 0 when there is nothing to take. */
static int take_published(struct control *c, struct adopted **out)
{
	struct image_header *image;
	char why[WHY_BYTES] = "";
	const char *differs;
	uint64_t refused = 0, generation;
	int rc = adopt(c->region, c->seen, &image, &refused, why, sizeof(why));

	if (rc == 0)
		return 0;
	if (rc < 0) {
		refuse(c, refused, rc == -ENOMEM ? NACK_RESOURCES : NACK_IMAGE, why);
		return 0;
	}
	generation = image->generation;
	differs = c->current ? restart_needed(c->current->image, image) : NULL;
	if (differs || !fits_region(c->region, image)) {
		snprintf(why, sizeof(why), "%s cannot change without a restart",
			 differs ? differs : "the sizes of the shared region");
		free(image);
		refuse(c, generation, NACK_RESTART, why);
		return 0;
	}
	rc = adopted_create(out, image, c->region);
	if (rc == -ENOENT)
		refuse(c, generation, NACK_REGISTRY, "a name of the policy has no state entry");
	else if (rc)
		refuse(c, generation, NACK_RESOURCES, "no memory for the policy");
	else
		c->seen = generation;
	return rc == 0;
}

int control_first_policy(struct control *c, char *why, size_t why_size)
{
	uint64_t end_ns = clock_ns() + FIRST_POLICY_MS * 1000000ull;

	while (!take_published(c, &c->current)) {
		if (clock_ns() >= end_ns) {
			snprintf(why, why_size, "no usable policy was published within %d s",
				 FIRST_POLICY_MS / 1000);
			return -ETIME;
		}
		control_heartbeat(c);
		if (wait_ms(c, REPORT_MS)) {
			snprintf(why, why_size, "stopped before a policy was published");
			return -EINTR;
		}
	}
	return 0;
}

static void hand_out(struct control *c, struct adopted *next)
{
	uint64_t now_ns = clock_ns();

	adopted_drain(next, c->current, now_ns);
	upkeep_change(&c->upkeep, next, c->current, now_ns);
	c->old = c->current;
	c->current = next;
	/* Release: pairs with the acquire of the workers' loop. */
	__atomic_store_n(&c->shared->adopted, next, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < c->shared->workers; i++)
		worker_wake(c->shared->worker[i]);
	adopt_ack(c->region, next->generation);
	log_line(LOG_LEVEL_INFO, "event=policy_adopted generation=%llu",
		 (unsigned long long)next->generation);
}

/* Free the policy that was replaced once no worker can be using it. */
static void retire_old(struct control *c)
{
	for (uint32_t i = 0; i < c->shared->workers; i++)
		if (worker_applied(c->shared->worker[i]) != c->current->generation)
			return;
	upkeep_changed(&c->upkeep, c->current, c->old);
	adopted_free(c->old);
	c->old = NULL;
}

/* Our words of the header, should something have written over them; nothing is being copied. */
static void say_again(struct control *c)
{
	struct region_header *header = c->region->header;

	__atomic_store_n(&header->reading, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&header->dataplane_pid, (uint64_t)getpid(), __ATOMIC_RELAXED);
	__atomic_store_n(&header->dataplane_started_ns, c->started_ns, __ATOMIC_RELAXED);
	if (__atomic_load_n(&header->adopted_generation, __ATOMIC_RELAXED) !=
	    c->current->generation)
		adopt_ack(c->region, c->current->generation);
}

static void report(struct control *c)
{
	uint32_t gone;

	say_again(c);
	gone = ports_observe(c->ports, c->region->ports);
	control_heartbeat(c);
	log_flush();
	for (uint32_t i = 0; gone; i++, gone >>= 1)
		if (gone & 1)
			log_line(LOG_LEVEL_ERROR, "event=port_gone device=%s",
				 c->ports->port[i].device);
}

/* Frames may be waiting for them in a worker that sleeps. */
static void take_neighbours(struct control *c, uint64_t now_ns)
{
	if (!kernel_neighbours_take(&c->neighbours, c->region->kernel_neighbours, c->current->image,
				    c->shared->neighbours, now_ns))
		return;
	for (uint32_t i = 0; i < c->shared->workers; i++)
		worker_wake(c->shared->worker[i]);
}

static uint32_t draining_at(uint64_t until_ns, uint64_t now_ns)
{
	if (until_ns <= now_ns)
		return DRAINING_NOT;
	return until_ns - now_ns > DRAIN_RESET_NS ? DRAINING_REFUSE : DRAINING_RESET;
}

/* A control plane that dies while it drains must not leave us refusing for ever: it ends. */
static void follow_drain(struct control *c, uint64_t now_ns)
{
	const uint32_t draining = draining_at(
		__atomic_load_n(&c->region->header->drain_until_ns, __ATOMIC_RELAXED), now_ns);
	static const char *const events[] = {
		[DRAINING_NOT] = "drain_over",
		[DRAINING_REFUSE] = "draining",
		[DRAINING_RESET] = "drain_resets",
	};

	if (draining == c->shared->draining)
		return;
	__atomic_store_n(&c->shared->draining, draining, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < c->shared->workers; i++)
		worker_wake(c->shared->worker[i]);
	log_line(LOG_LEVEL_INFO, "event=%s", events[draining]);
}

static void judge(struct control *c, uint64_t now_ns)
{
	const struct outlier_judged now =
		upkeep_run(&c->upkeep, c->current, &c->shared->judged, now_ns);

	if (now.ejected != 0)
		log_line(LOG_LEVEL_INFO, "event=ejected_by_statistics endpoints=%u", now.ejected);
}

int control_run(struct control *c)
{
	uint64_t next_report_ns = 0;

	for (;;) {
		struct adopted *next;
		uint64_t now_ns = clock_ns();

		if (c->old)
			retire_old(c);
		if (!c->old && take_published(c, &next))
			hand_out(c, next);
		take_neighbours(c, now_ns);
		judge(c, now_ns);
		repairs_run(&c->repairs, c->shared, &c->upkeep.state, now_ns);
		follow_drain(c, now_ns);
		if (now_ns >= next_report_ns) {
			report(c);
			next_report_ns = now_ns + REPORT_MS * 1000000ull;
		}
		if (wait_ms(c, c->old ? SETTLE_MS : REPORT_MS))
			return 0;
	}
}
