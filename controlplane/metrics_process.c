/* SPDX-License-Identifier: Apache-2.0 */
/* The instance as a whole, its workers and its interfaces. */
#include <stddef.h>

#include "controlplane/limits.h"
#include "controlplane/metrics_rows.h"
#include "controlplane/stats_limits.h"
#include "shm/version.h"

static void one(const struct metrics_writer *w, const char *name, const char *help,
		enum metrics_type type, uint64_t value)
{
	metrics_family(w->m, name, help, type);
	metrics_add(w->m, NULL, NULL, value);
}

static void write_build(const struct metrics_writer *w)
{
	struct metrics_labels labels = metrics_label(w->m, "sidecar", w->stats->instance);

	labels = metrics_label_add(w->m, labels, "version", FENDER_VERSION);
	metrics_family(w->m, "fender_build_info", "Always 1: who answers.", METRICS_GAUGE);
	metrics_add(w->m, &labels, NULL, 1);
}

static void write_policy(const struct metrics_writer *w)
{
	const struct stats *s = w->stats;

	one(w, "fender_policy_generation", "Generation that is published.", METRICS_GAUGE,
	    s->active_generation);
	one(w, "fender_policy_adopted_generation", "Generation the dataplane has taken.",
	    METRICS_GAUGE, s->adopted_generation);
	one(w, "fender_policy_applied_generation", "Generation the slowest worker decides by.",
	    METRICS_GAUGE, s->applied_generation);
	one(w, "fender_policy_refused_generation",
	    "The last generation the dataplane refused; 0: none.", METRICS_GAUGE,
	    s->nacked_generation);
	metrics_family(w->m, "fender_policy_build_seconds",
		       "Time that compiling the policy took; 0: found in the region.",
		       METRICS_GAUGE);
	metrics_add_millionths(w->m, NULL, s->build_us);
}

static void write_dataplane(const struct metrics_writer *w)
{
	const struct stats_process *p = w->source->process;

	one(w, "fender_ready", "1 when every worker runs and decides by a policy.", METRICS_GAUGE,
	    p->ready != 0);
	one(w, "fender_dataplane_up", "1 while a dataplane process lives.", METRICS_GAUGE,
	    p->pid != 0);
	metrics_family(w->m, "fender_dataplane_uptime_seconds", "Age of the dataplane process.",
		       METRICS_GAUGE);
	metrics_add_millionths(w->m, NULL, p->uptime_ms * 1000);
	one(w, "fender_dataplane_starts_total", "Dataplanes started in this region.",
	    METRICS_COUNTER, w->stats->dataplane_starts);
	one(w, "fender_dataplane_restarts_total", "Restarts by this control plane.",
	    METRICS_COUNTER, p->restarts);
}

static void write_conservation(const struct metrics_writer *w)
{
	const struct stats *s = w->stats;

	one(w, "fender_conservation_holds", "1 while every packet is accounted for.", METRICS_GAUGE,
	    s->holds != 0);
	one(w, "fender_conservation_in_flight_packets", "In the bursts now worked on.",
	    METRICS_GAUGE, s->in_flight > 0 ? (uint64_t)s->in_flight : 0);
	one(w, "fender_conservation_ring_packets", "On their way between workers.", METRICS_GAUGE,
	    s->in_rings > 0 ? (uint64_t)s->in_rings : 0);
}

void metrics_write_process(const struct metrics_writer *w)
{
	const struct stats *s = w->stats;

	write_build(w);
	write_dataplane(w);
	write_policy(w);
	one(w, "fender_region_bytes", "Size of the shared memory.", METRICS_GAUGE, s->region_bytes);
	one(w, "fender_connections",
	    "Entries of the connection table in use, resting ones included.", METRICS_GAUGE,
	    s->connections_open);
	one(w, "fender_connections_resting", "Entries that only hold their SNAT port.",
	    METRICS_GAUGE, s->connections_resting);
	one(w, "fender_connections_capacity", "Entries of the connection table.", METRICS_GAUGE,
	    s->connection_capacity);
	one(w, "fender_events_total", "Events: breaker edges, ejections, health, and so on.",
	    METRICS_COUNTER, counter_read(&s->region->events->head));
	one(w, "fender_events_lost_total", "Events overwritten before they could be logged.",
	    METRICS_COUNTER, w->source->events_lost);
	write_conservation(w);
}

#define WORKER(field)  offsetof(struct stats_worker, field)
#define PACKETS(field) offsetof(struct stats_worker, packets.field)

static const struct metrics_field worker_fields[] = {
	{"fender_worker_applied_generation", "Generation of the policy it decides by.",
	 METRICS_GAUGE, WORKER(applied_generation)},
	{"fender_worker_loops_total", "Turns of its loop.", METRICS_COUNTER, WORKER(loops)},
	{"fender_worker_busy_loops_total", "Turns that found work.", METRICS_COUNTER,
	 WORKER(busy_loops)},
	{"fender_worker_sleeps_total", "Times it slept for want of work.", METRICS_COUNTER,
	 WORKER(sleeps)},
	{"fender_worker_neighbours_pending", "Frames that wait for a next hop's address.",
	 METRICS_GAUGE, WORKER(neighbours_pending)},
	{"fender_worker_connections", "Its connection entries in use.", METRICS_GAUGE,
	 WORKER(connections_open)},
	{"fender_worker_connections_resting", "Of these, those that only hold their SNAT port.",
	 METRICS_GAUGE, WORKER(connections_resting)},
	{"fender_worker_resting_recycled_total", "Rests cut short for want of entries or ports.",
	 METRICS_COUNTER, WORKER(resting_recycled)},
	{"fender_worker_challenges_answered_total", "Challenge ACKs answered at port reuse.",
	 METRICS_COUNTER, WORKER(challenges_answered)},
	{"fender_worker_syn_repeated_total", "SYNs that Fender sent again by itself.",
	 METRICS_COUNTER, WORKER(syn_repeated)},
	{"fender_packets_received_total", "Frames taken from interfaces.", METRICS_COUNTER,
	 PACKETS(received)},
	{"fender_packets_originated_total", "Frames that Fender made.", METRICS_COUNTER,
	 PACKETS(originated)},
	{"fender_packets_transmitted_total", "Frames that interfaces took.", METRICS_COUNTER,
	 PACKETS(transmitted)},
	{"fender_packets_consumed_total", "Frames that were for Fender itself.", METRICS_COUNTER,
	 PACKETS(consumed)},
	{"fender_packets_handed_out_total", "Frames given to another worker.", METRICS_COUNTER,
	 PACKETS(handed_out)},
	{"fender_packets_handed_in_total", "Frames taken from another worker.", METRICS_COUNTER,
	 PACKETS(handed_in)},
	{"fender_packets_held", "Frames that wait for a next hop or a flush.", METRICS_GAUGE,
	 PACKETS(held)},
};

static int worker_state(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = w->stats->worker[i].state;
	return 1;
}

static int worker_cpu(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = w->stats->worker[i].cpu;
	return 1;
}

static int heartbeat_age(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = w->stats->worker[i].heartbeat_age_ms * 1000;
	return 1;
}

static const struct metrics_computed worker_gauges[] = {
	{"fender_worker_state", "0 stopped, 1 running, 2 parked.", METRICS_WHOLE, worker_state},
	{"fender_worker_cpu", "The CPU it last ran on.", METRICS_WHOLE, worker_cpu},
	{"fender_worker_heartbeat_age_seconds", "Since it last showed that it lives.",
	 METRICS_MILLIONTHS, heartbeat_age},
};

/* All reasons: an alert on a drop must find its series before the first one. */
static void write_drops(const struct metrics_writer *w)
{
	metrics_family(w->m, "fender_packets_dropped_total", "Frames dropped, by reason.",
		       METRICS_COUNTER);
	for (uint32_t i = 0; i < w->stats->workers; i++)
		for (uint32_t reason = REASON_NONE + 1; reason < REASON_COUNT; reason++)
			metrics_add(w->m, &w->workers[i], &w->reasons[reason],
				    w->stats->worker[i].packets.dropped[reason]);
}

void metrics_write_workers(const struct metrics_writer *w)
{
	const struct metrics_rows rows = {w->stats->worker, sizeof(struct stats_worker),
					  w->stats->workers, w->workers};

	metrics_gauges(w, worker_gauges, METRICS_COUNT(worker_gauges), w->workers,
		       w->stats->workers);
	metrics_fields(w->m, &rows, worker_fields, METRICS_COUNT(worker_fields));
	write_drops(w);
}

#define INTERFACE(field) offsetof(struct stats_interface, field)

static const struct metrics_field interface_fields[] = {
	{"fender_interface_receive_packets_total", "Frames received.", METRICS_COUNTER,
	 INTERFACE(sum.rx_packets)},
	{"fender_interface_receive_bytes_total", "Their bytes, without the check sequence.",
	 METRICS_COUNTER, INTERFACE(sum.rx_bytes)},
	{"fender_interface_transmit_packets_total", "Frames transmitted.", METRICS_COUNTER,
	 INTERFACE(sum.tx_packets)},
	{"fender_interface_transmit_bytes_total", "Their bytes.", METRICS_COUNTER,
	 INTERFACE(sum.tx_bytes)},
	{"fender_interface_transmit_full_total", "Frames the interface did not take.",
	 METRICS_COUNTER, INTERFACE(sum.tx_full)},
	{"fender_interface_receive_missed_total", "Frames lost in the receive ring.",
	 METRICS_COUNTER, INTERFACE(port.rx_missed)},
	{"fender_interface_receive_no_buffer_total", "Frames lost for want of a buffer.",
	 METRICS_COUNTER, INTERFACE(port.rx_nombuf)},
};

static int link_up(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = w->stats->interface[i].port.link_up != 0;
	return 1;
}

static int mtu_of(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = w->stats->interface[i].port.mtu;
	return 1;
}

static int queues_of(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = w->stats->interface[i].port.queues;
	return 1;
}

static int limiter_of(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	if (!w->stats->limits)
		return 0;
	*value = w->stats->limits->interface[i].limiter;
	return 1;
}

static const struct metrics_computed interface_gauges[] = {
	{"fender_interface_up", "1 while its link is up.", METRICS_WHOLE, link_up},
	{"fender_interface_mtu_bytes", "Its MTU.", METRICS_WHOLE, mtu_of},
	{"fender_interface_queues", "Receive queues.", METRICS_WHOLE, queues_of},
	{"fender_interface_limiter", "Where rates are limited: 1 XDP, 2 the worker, 3 nowhere.",
	 METRICS_WHOLE, limiter_of},
};

/* Frames that the XDP program judged and that are no listener's. */
static void write_xdp(const struct metrics_writer *w)
{
	metrics_family(w->m, "fender_interface_xdp_packets_total",
		       "Frames of no listener, by what the XDP program did with them.",
		       METRICS_COUNTER);
	for (uint32_t i = 0; w->stats->limits && i < w->stats->policy->interfaces.count; i++) {
		const struct limit_counters *c = &w->stats->limits->interface[i].counters;

		for (uint32_t verdict = 0; verdict < LIMIT_VERDICT_COUNT; verdict++) {
			struct metrics_labels reason;

			if (c->packets[verdict] == 0)
				continue;
			reason = metrics_label(w->m, "reason", limits_verdict_name(verdict));
			metrics_add(w->m, &w->interfaces[i], &reason, c->packets[verdict]);
		}
	}
}

void metrics_write_interfaces(const struct metrics_writer *w)
{
	const struct metrics_rows rows = {w->stats->interface, sizeof(struct stats_interface),
					  w->stats->policy->interfaces.count, w->interfaces};

	metrics_gauges(w, interface_gauges, METRICS_COUNT(interface_gauges), w->interfaces,
		       rows.count);
	metrics_fields(w->m, &rows, interface_fields, METRICS_COUNT(interface_fields));
	write_xdp(w);
}
