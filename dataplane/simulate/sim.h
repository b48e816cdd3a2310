/* SPDX-License-Identifier: Apache-2.0 */
/* A run under way: what the simulator's files share. */
#ifndef FENDER_DATAPLANE_SIMULATE_SIM_H
#define FENDER_DATAPLANE_SIMULATE_SIM_H

#include "dataplane/simulate/heap.h"
#include "dataplane/simulate/histogram.h"
#include "dataplane/simulate/model.h"

/* Virtual time does not begin at 0, which stands for "never" in many words. */
#define SIM_START_NS (UINT64_C(3600) * 1000000000)

/* The agenda's items, in the order in which those of one instant come: permits that come back
 * beat timeouts, and timeouts beat newcomers. */
enum item_kind {
	ITEM_CHANGE, /* subject: number of the scenario's change */
	ITEM_TICK,
	ITEM_CONNECTED, /* from here to ITEM_LEAVE subject is a call */
	ITEM_REFUSED,
	ITEM_RESET,
	ITEM_ANSWER,
	ITEM_END,
	ITEM_VERDICT, /* verdict_after */
	ITEM_WAKE,    /* of a waiting call */
	ITEM_CONNECT_TIMEOUT,
	ITEM_REQUEST_TIMEOUT,
	ITEM_NO_REPLY, /* expect_reply */
	ITEM_LEAVE,    /* the client loses its patience; stamp: of the call's life */
	ITEM_ARRIVAL,  /* subject: number of the load */
};

struct sim_call {
	struct call call; /* first: what the engine sees */
	struct call_request request;
	struct fate fate;
	const struct image_timeouts *timeouts; /* in force when its attempt was sent */
	uint64_t sent_ns;
	uint64_t connected_ns;
	uint32_t stamp; /* of its one pending item; items with another are void */
	uint32_t life;  /* raised when it is over */
	uint32_t load;
	uint32_t lane;
	uint32_t free_next; /* number, while it is free */
	uint8_t live;
	uint8_t verdict;  /* enum sim_verdict */
	uint8_t answered; /* its first byte came */
	uint8_t udp;
};

enum sim_verdict { VERDICT_NONE, VERDICT_SUCCESS, VERDICT_FAILURE };

/* One worker and its calls. */
struct lane {
	struct engine *engine;
	struct sim_call *calls; /* engine->entries of them */
	uint32_t fresh;         /* those from here on were never used */
	uint32_t free;          /* list; CALL_NOBODY: empty */
};

struct load_run {
	struct random random; /* of arrivals and clients: two policies meet the same ones */
	struct random holds;
	uint64_t next_ns;
	uint64_t count;
	uint32_t listener; /* slot; UINT32_MAX: no policy of the run has it */
};

struct gauge {
	uint32_t limit;
	uint32_t in_flight;
	uint32_t queued;
};

/* What the retry budget allowed so far, window by window. */
struct allowance {
	uint64_t since_ns;
	uint64_t calls; /* sent before the window */
	uint64_t retries;
	uint64_t allowed;
};

struct sim {
	const struct sim_scenario *scenario;
	struct world world;
	struct model model;
	struct heap heap;
	struct lane *lanes;
	struct load_run *loads;
	uint64_t now_ns;
	uint64_t steps;
	int out_of_memory;
	/* by slot */
	struct histogram *latency;    /* of listeners */
	uint64_t *last_answer_ns;     /* likewise */
	uint64_t *no_entry;           /* calls of listeners that found the table full */
	uint64_t *no_listener;        /* or no listener */
	struct allowance *allowances; /* of clusters */
	struct gauge *listener_gauges;
	struct gauge *cluster_gauges;
	uint32_t *endpoint_peaks;
	/* events of the ring */
	uint64_t events_seen;
	uint64_t events_lost;
	struct sim_edge *edges;
	size_t edge_count;
};

void sim_schedule(struct sim *sim, struct heap_item item);

/* calls.c: a client's call of load @load begins; what is due for a call. */
void sim_arrive(struct sim *sim, uint32_t load);
void sim_call_item(struct sim *sim, const struct heap_item *item);
/* Hand out permits that came back and refuse waiters whose breaker opened, until none is left. */
void sim_settle(struct sim *sim);

/* load.c: the next arrivals. */
void load_begin(struct sim *sim);
void load_arrived(struct sim *sim, uint32_t load); /* one by rate came: the next */
void load_over(struct sim *sim, uint32_t load);    /* one of a closed loop is over: again */

/* record.c: what happened, for the result. */
void record_gauges(struct sim *sim, const struct call *call);
void record_limits(struct sim *sim);  /* a policy came in force */
void record_windows(struct sim *sim); /* regularly */
void record_last_windows(struct sim *sim);
void record_events(struct sim *sim);
struct sim_result *record_result(struct sim *sim);

#endif
