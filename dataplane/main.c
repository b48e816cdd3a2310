/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fender-dataplane: the packet path. What it starts, in which order, is the table of steps; they
 * are undone in reverse, at the end and when one fails. It reads policies from the shared
 * region only.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include <rte_launch.h>

#include "dataplane/clock.h"
#include "dataplane/control.h"
#include "dataplane/eal.h"
#include "dataplane/fatal.h"
#include "dataplane/inherit.h"
#include "dataplane/log.h"
#include "dataplane/net/neighbour.h"
#include "dataplane/options.h"
#include "dataplane/run_files.h"
#include "dataplane/standby.h"
#include "dataplane/worker.h"
#include "shm/publish.h"
#include "shm/version.h"

enum { WHY_BYTES = 640 };

struct dataplane {
	struct options options;
	struct region region;
	struct ports ports;
	struct worker_shared shared;
	struct control control;
	uint64_t started_ns;
	int lock_fd;
	int is_heir; /* of a dataplane that ran: standby.h */
	char why[WHY_BYTES];
};

static int explain(struct dataplane *d, const char *what, int error)
{
	snprintf(d->why, sizeof(d->why), "%s: %s", what, strerror(error));
	return -error;
}

/* Before any thread exists: all of them inherit the mask. */
static int signals_start(struct dataplane *d)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	d->control.signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (d->control.signal_fd < 0)
		return explain(d, "signalfd", errno);
	run_files_prepare();
	return 0;
}

static void signals_stop(struct dataplane *d)
{
	close(d->control.signal_fd);
}

/* An heir has the lock and, mostly, DPDK already when it comes to their steps. */
static int standby_start(struct dataplane *d)
{
	if (d->options.takeover_fd == TAKEOVER_NONE)
		return 0;
	d->is_heir = standby(&d->options, d->control.signal_fd, &d->lock_fd, d->why,
			     sizeof(d->why)) == 0;
	/* When we are really started, and may have been waiting for long. */
	if (d->options.takeover_fd != TAKEOVER_DEAD)
		d->started_ns = clock_ns();
	return d->is_heir ? 0 : -EPERM;
}

static void standby_stop(struct dataplane *d)
{
}

static int lock_start(struct dataplane *d)
{
	if (d->is_heir)
		return 0;
	d->lock_fd = process_lock_take(d->options.lock_path, d->why, sizeof(d->why));
	return d->lock_fd < 0 ? d->lock_fd : 0;
}

static void lock_stop(struct dataplane *d)
{
	close(d->lock_fd);
}

static int region_start(struct dataplane *d)
{
	int rc = region_open(&d->region, d->options.region, d->why, sizeof(d->why));
	struct region_header *header = rc ? NULL : d->region.header;

	if (rc)
		return rc;
	if (strncmp(header->instance, d->options.instance, NAME_BYTES) != 0) {
		snprintf(d->why, sizeof(d->why), "%s belongs to instance '%.*s', not '%s'",
			 d->options.region, NAME_BYTES, header->instance, d->options.instance);
		region_close(&d->region);
		return -EINVAL;
	}
	d->control.region = &d->region;
	d->control.started_ns = d->started_ns;
	__atomic_store_n(&header->dataplane_pid, (uint64_t)getpid(), __ATOMIC_RELAXED);
	__atomic_store_n(&header->dataplane_started_ns, d->started_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&header->dataplane_starts, header->dataplane_starts + 1, __ATOMIC_RELAXED);
	control_heartbeat(&d->control);
	return 0;
}

static void region_stop(struct dataplane *d)
{
	__atomic_store_n(&d->region.header->dataplane_pid, 0, __ATOMIC_RELAXED);
	region_close(&d->region);
}

static int wake_start(struct dataplane *d)
{
	d->control.wake_fd = wake_fifo_open(d->options.wake_path, d->why, sizeof(d->why));
	return d->control.wake_fd < 0 ? d->control.wake_fd : 0;
}

static void wake_stop(struct dataplane *d)
{
	close(d->control.wake_fd);
}

static int policy_start(struct dataplane *d)
{
	int rc = control_first_policy(&d->control, d->why, sizeof(d->why));

	if (rc)
		return rc;
	d->shared.adopted = d->control.current;
	d->shared.workers = d->control.current->image->sidecar.workers;
	return 0;
}

static void policy_stop(struct dataplane *d)
{
	adopted_free(d->control.old);
	adopted_free(d->control.current);
}

static int dpdk_start(struct dataplane *d)
{
	return eal_start(d->control.current->image, d->options.instance, d->why, sizeof(d->why));
}

static void dpdk_stop(struct dataplane *d)
{
	eal_stop();
}

static int ports_step_start(struct dataplane *d)
{
	const struct ports_config config = {
		.image = d->control.current->image,
		.control = d->region.interfaces,
		.bpf_root = d->options.bpf_root,
		.is_restart = d->region.header->dataplane_starts > 1,
	};

	d->control.ports = d->shared.ports = &d->ports;
	return ports_start(&d->ports, &config, d->region.ports, d->why, sizeof(d->why));
}

static void ports_step_stop(struct dataplane *d)
{
	ports_stop(&d->ports);
}

static int neighbours_start(struct dataplane *d)
{
	const struct image_header *image = d->control.current->image;
	const struct image_neighbour *row = IMAGE_ARRAY(image, struct image_neighbour, neighbours);
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return explain(d, "getrandom", errno);
	d->shared.neighbours = neighbour_table_create(seed);
	if (!d->shared.neighbours)
		return explain(d, "neighbour table", ENOMEM);
	for (uint32_t i = 0; i < image->neighbours.count; i++) {
		int rc = neighbour_set_static(d->shared.neighbours, (uint8_t)row[i].interface,
					      row[i].ip.b, row[i].mac);

		if (rc) {
			neighbour_table_destroy(d->shared.neighbours);
			return explain(d, "static neighbours", -rc);
		}
	}
	kernel_neighbours_take(&d->control.neighbours, d->region.kernel_neighbours, image,
			       d->shared.neighbours, clock_ns());
	return 0;
}

static void neighbours_stop(struct dataplane *d)
{
	neighbour_table_destroy(d->shared.neighbours);
}

static int state_start(struct dataplane *d)
{
	if (upkeep_start(&d->control.upkeep, &d->region, d->control.current, clock_ns()))
		return explain(d, "state of the policies", ENOMEM);
	return 0;
}

static void state_stop(struct dataplane *d)
{
	upkeep_stop(&d->control.upkeep);
}

static void workers_stop(struct dataplane *d)
{
	for (uint32_t i = d->shared.workers; i-- > 0;)
		worker_destroy(d->shared.worker[i]);
	worker_shared_destroy(&d->shared);
}

static int workers_start(struct dataplane *d)
{
	d->shared.region = &d->region;
	if (worker_shared_create(&d->shared))
		return explain(d, "queues of waiting calls", ENOMEM);
	for (uint32_t i = 0; i < d->shared.workers; i++) {
		int rc = worker_create(&d->shared, i, d->why, sizeof(d->why));

		if (rc) {
			workers_stop(d);
			return rc;
		}
	}
	return 0;
}

static int connections_start(struct dataplane *d)
{
	const uint64_t before_ns = clock_ns();
	struct conn_adopted all;

	if (inherit_connections(&d->shared, d->control.current, &all))
		return explain(d, "connections of the dataplane before", ENOMEM);
	if (all.open + all.resting + all.waiting + all.unreadable == 0)
		return 0;
	log_line(LOG_LEVEL_INFO,
		 "event=connections_adopted open=%u resting=%u waiting_ended=%u unreadable=%u "
		 "ports_lent=%u us=%llu",
		 all.open, all.resting, all.waiting, all.unreadable, all.lent,
		 (unsigned long long)(clock_ns() - before_ns) / 1000);
	return 0;
}

/* They stay in the region, for a successor. */
static void connections_stop(struct dataplane *d)
{
}

static void loops_stop(struct dataplane *d)
{
	__atomic_store_n(&d->shared.stop, 1, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < d->shared.workers; i++)
		worker_wake(d->shared.worker[i]);
	for (uint32_t i = 0; i < d->shared.workers; i++)
		rte_eal_wait_lcore(eal_lcore(i));
}

static int loops_start(struct dataplane *d)
{
	adopt_ack(&d->region, d->control.current->generation);
	for (uint32_t i = 0; i < d->shared.workers; i++) {
		int rc = rte_eal_remote_launch(worker_run, d->shared.worker[i], eal_lcore(i));

		if (rc) {
			loops_stop(d);
			return explain(d, "starting a worker", -rc);
		}
	}
	return 0;
}

static const struct step {
	const char *name;
	int (*start)(struct dataplane *d); /* 0, or -errno with d->why; then nothing is left */
	void (*stop)(struct dataplane *d);
} steps[] = {
	{"signals", signals_start, signals_stop},
	{"standby", standby_start, standby_stop},
	{"process lock", lock_start, lock_stop},
	{"region", region_start, region_stop},
	{"wake FIFO", wake_start, wake_stop},
	{"policy", policy_start, policy_stop},
	{"DPDK", dpdk_start, dpdk_stop},
	{"interfaces", ports_step_start, ports_step_stop},
	{"neighbours", neighbours_start, neighbours_stop},
	{"policy state", state_start, state_stop},
	{"workers", workers_start, workers_stop},
	{"connections", connections_start, connections_stop},
	{"loops", loops_start, loops_stop},
};

static int run(struct dataplane *d)
{
	const size_t count = sizeof(steps) / sizeof(steps[0]);
	size_t done = 0;
	int rc = 0;

	for (; done < count && rc == 0; done++) {
		uint64_t before_ns = clock_ns();

		rc = steps[done].start(d);
		log_line(LOG_LEVEL_DEBUG, "event=step name=\"%s\" us=%llu", steps[done].name,
			 (unsigned long long)(clock_ns() - before_ns) / 1000);
	}
	if (rc == 0) {
		log_line(
			LOG_LEVEL_INFO,
			"event=started version=%s generation=%llu workers=%u interfaces=%u ms=%llu",
			FENDER_VERSION, (unsigned long long)d->control.current->generation,
			d->shared.workers, d->ports.count,
			(unsigned long long)(clock_ns() - d->started_ns) / 1000000);
		rc = control_run(&d->control);
	} else {
		done--; /* it undid itself */
		if (rc != -EINTR)
			log_line(LOG_LEVEL_ERROR, "event=start_failed step=\"%s\" why=\"%s\"",
				 steps[done].name, d->why);
	}
	while (done > 0)
		steps[--done].stop(d);
	log_line(LOG_LEVEL_INFO, "event=stopped");
	if (rc == -EAGAIN)
		return EX_TEMPFAIL;
	return rc && rc != -EINTR ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static struct dataplane d;
	int rc;

	d.started_ns = clock_ns();
	d.control.shared = &d.shared;
	switch (options_read(&d.options, argc, argv)) {
	case OPTIONS_DONE:
		return EXIT_SUCCESS;
	case OPTIONS_WRONG:
		return 2;
	case OPTIONS_RUN:
		break;
	}
	rc = log_start(d.options.log_format, d.options.log_level);
	fatal_start(d.options.log_format);
	if (rc) {
		fprintf(stderr, "fender-dataplane: the log does not start: %s\n", strerror(-rc));
		return EXIT_FAILURE;
	}
	return run(&d);
}
