/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator: the dataplane's own decisions about calls (dataplane/policy/call.h) in virtual
 * time, against endpoints that are described instead of there. No packets, no sockets, no
 * clock: a run is a function of the images, the scenario and its seed, and repeats exactly.
 *
 * Modelled: arrivals, queues, picks, attempts, retries, breakers, ejections, reloads, operators'
 * words, connections that stay open. Not modelled: bandwidth, packet loss, SNAT ports, rate
 * limits; virtual time stands still while a decision is taken.
 */
#ifndef FENDER_DATAPLANE_SIMULATE_SIMULATE_H
#define FENDER_DATAPLANE_SIMULATE_SIMULATE_H

#include <stddef.h>
#include <stdint.h>

#include "shm/counters.h"
#include "shm/image.h"

/* Times of a scenario are ns since its start. */

enum sim_shape { SIM_FIXED, SIM_UNIFORM, SIM_EXPONENTIAL, SIM_LOGNORMAL };

struct sim_times {
	enum sim_shape shape;
	uint64_t a_ns; /* fixed: value; uniform: least; exponential: mean; lognormal: median */
	uint64_t b_ns; /* uniform: greatest; lognormal: 99th percentile, at least the median */
};

/* What an endpoint does to an attempt. */
enum sim_fault {
	SIM_REFUSE,    /* answers the SYN with a reset; udp: port unreachable */
	SIM_BLACKHOLE, /* answers nothing at all */
	SIM_HANG,      /* accepts and then says nothing */
	SIM_RESET,     /* accepts and resets where its first byte would come; udp: as refuse */
	SIM_SLOW,      /* latency times factor */
	SIM_FAULTS,
	SIM_WORKS = SIM_FAULTS,
};

struct sim_outage {
	uint64_t from_ns;
	uint64_t to_ns;
	enum sim_fault fault;
	uint32_t factor; /* of SIM_SLOW */
};

struct sim_endpoint {
	const char *name;         /* "10.2.0.11:8080"; NULL: every one that no other names */
	struct sim_times connect; /* until it accepts or refuses */
	struct sim_times latency; /* from there to its first byte */
	uint32_t failure_rate;    /* of attempts, in hundredths of a percent */
	enum sim_fault failure;   /* and how they fail; not SIM_SLOW */
	const struct sim_outage *outages;
	size_t outage_count;
	uint64_t flap_period_ns; /* 0: does not flap; down for the last flap_down_ns of each */
	uint64_t flap_down_ns;
	enum sim_fault flap_fault;
};

/* Calls of one kind: so many a second, or by so many clients that each wait for their last one. */
struct sim_load {
	const char *listener;
	uint64_t from_ns;
	uint64_t to_ns;
	uint32_t rate;         /* a second; 0: closed loop */
	uint32_t concurrency;  /* closed loop; 0: by rate */
	uint32_t evenly;       /* by rate: at equal distances, else a Poisson process */
	uint32_t clients;      /* distinct source addresses, 1 and up */
	struct sim_times hold; /* a connection stays open after its first byte */
	uint64_t patience_ns;  /* a client without a byte for so long leaves; 0: never */
	uint64_t think_ns;     /* closed loop: until the next call, 1 and up */
};

enum sim_change_kind {
	SIM_RELOAD,  /* adopt .image */
	SIM_HEALTH,  /* of endpoint .name: .value is an enum health_state */
	SIM_DRAIN,   /* of endpoint .name: .value 1 or 0 */
	SIM_BREAKER, /* of cluster or endpoint .name: .value is an enum breaker_override */
};

struct sim_change {
	uint64_t at_ns;
	enum sim_change_kind kind;
	const struct image_header *image;
	const char *name;
	uint32_t value;
};

struct sim_scenario {
	uint64_t duration_ns;
	uint64_t seed;
	uint32_t workers; /* 1..MAX_WORKERS */
	const struct sim_load *loads;
	size_t load_count;
	const struct sim_endpoint *endpoints;
	size_t endpoint_count;
	const struct sim_change *changes;
	size_t change_count;
	/* Called every simulated second; may be NULL. Non-zero stops the run there. */
	int (*progress)(void *ctx, uint64_t now_ns);
	void *progress_ctx;
};

/* What came of it. started = succeeded + failed + cancelled + rejected + active. */
struct sim_calls {
	uint64_t started;
	uint64_t succeeded;
	uint64_t failed;
	uint64_t cancelled;
	uint64_t rejected;
	uint64_t active; /* no verdict when the run ended */
};

/* From a call's start to its first byte, queueing and retries included; error below 1.6 %. */
struct sim_latency {
	uint64_t count;
	uint64_t p50_ns;
	uint64_t p90_ns;
	uint64_t p99_ns;
	uint64_t p999_ns;
	uint64_t max_ns;
};

struct sim_permits {
	uint32_t limit; /* the highest in force during the run; 0: none was */
	uint32_t max_in_flight;
	uint32_t max_queued;
	uint64_t overshoot_max; /* 0, or an admission went above its limit */
	uint32_t in_flight;     /* when the run ended, as the next */
	uint32_t queued;
};

struct sim_listener_result {
	const char *name;
	struct sim_calls calls;
	struct sim_latency latency;
	struct sim_permits permits;
	uint64_t last_ns; /* the last first byte */
	uint64_t rejected[REASON_COUNT];
	uint64_t failed[REASON_COUNT];
};

struct sim_cluster_result {
	const char *name;
	struct sim_calls calls;
	struct sim_permits permits;
	struct policy_counters policy; /* of all workers */
	uint64_t attempts_in_flight;   /* when the run ended, as the next */
	uint64_t retries_in_flight;
	uint32_t amplification; /* attempts a call that was sent, in hundredths */
	uint32_t bound;         /* what its retry policy allows, in hundredths */
};

struct sim_endpoint_result {
	const char *name; /* "cluster/address:port" */
	uint32_t cluster; /* number of its cluster's result */
	uint32_t share;   /* of the cluster's attempts, in hundredths of a percent */
	uint64_t attempts;
	uint64_t failed;
	uint32_t max_in_flight;
	uint64_t in_flight; /* when the run ended */
};

/* A change of a breaker, an ejection, a panic: shm/events.h, but for refused ejections. */
struct sim_edge {
	uint64_t at_ns;
	uint32_t kind; /* enum event_kind */
	uint32_t observed;
	uint64_t detail;
	const char *name;
};

enum { SIM_EDGES = 4096 }; /* kept; more are counted */

/* Lists in the order of the image; what later images add follows. */
struct sim_result {
	uint64_t ended_ns;
	uint64_t decisions; /* simulated events */
	struct sim_calls calls;
	struct sim_listener_result *listeners;
	size_t listener_count;
	struct sim_cluster_result *clusters;
	size_t cluster_count;
	struct sim_endpoint_result *endpoints;
	size_t endpoint_count;
	struct sim_edge *edges;
	size_t edge_count;
	uint64_t edges_lost;
};

/**
 * sim_run() - one run from idle
 * @image: checked, as all images of the scenario's changes; they must outlive the result, whose
 *         names lie in them
 * Return: the result, given back by sim_result_free(); NULL when out of memory or when the
 *         images together name more than 65,534 listeners, clusters or endpoints.
 *
 * Costs about a microsecond an event, and memory by the calls that are open at once.
 */
struct sim_result *sim_run(const struct image_header *image, const struct sim_scenario *scenario);
void sim_result_free(struct sim_result *result);

#endif
