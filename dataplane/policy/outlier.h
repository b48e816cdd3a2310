/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outlier detection: when an endpoint's breaker may open, and the statistical modes.
 *
 * max_ejected bounds a cluster's endpoints whose breaker is not closed (half-open ones included),
 * counted after the ejection: ejected + 1 <= max_ejected * endpoints, at least 1 of 2 and more; the
 * cluster's word is raised by compare-and-swap before the endpoint opens and lowered when it closes
 * or leaves the policy. Another usable endpoint must remain. Both are exact over all workers: of
 * two endpoints that would leave none by opening at once, neither opens.
 */
#ifndef FENDER_DATAPLANE_POLICY_OUTLIER_H
#define FENDER_DATAPLANE_POLICY_OUTLIER_H

#include "dataplane/policy/breaker.h"
#include "dataplane/policy/latency.h"

/* Raise the cluster's word if that keeps to the bound. @endpoints: of the cluster. 1 when raised.
 */
int outlier_take(uint64_t *ejected, const struct image_outlier *rules, uint32_t endpoints);
/* Never below 0. */
void outlier_give_back(uint64_t *ejected);

/* An endpoint that may be ejected: positions in the image. */
struct ejection {
	const struct policy_view *v;
	const struct policy_state *s;
	uint32_t cluster;
	uint32_t endpoint;
	uint64_t now_ns;
};

/*
 * The endpoint's breaker with its rules, window, the operator's override and a guard for the two
 * bounds above. Asking the guard costs a look at each endpoint of the cluster. @e outlives it.
 */
struct breaker outlier_breaker(struct ejection *e);

/* One endpoint's interval, summed over the workers. */
struct outlier_sample {
	uint64_t calls;
	uint64_t failed;
	uint64_t median_ns; /* of its latencies; 0: none */
};

/**
 * outlier_success_rate() - who falls out by its rate of success
 * @out: 1 for each of @n samples with rate < mean - 1.9 stdev and rate <= mean - 5 points
 *
 * Population standard deviation over the hosts with at least minimum_calls; with fewer than
 * minimum_hosts of them nobody falls out. Return: how many do.
 */
uint32_t outlier_success_rate(const struct image_outlier *rules, const struct outlier_sample *s,
			      uint32_t n, uint8_t *out);

/* By latency: median > max(m + 5 * 1.4826 * MAD, 2 m, m + 1 ms), m the median of the medians. */
uint32_t outlier_latency(const struct image_outlier *rules, const struct outlier_sample *s,
			 uint32_t n, uint8_t *out);

/* What a judgement did: endpoints ejected, and those that max_ejected or the last usable one
 * spared.
 */
struct outlier_judged {
	uint32_t ejected;
	uint32_t refused;
};

/**
 * outlier_interval() - judge a cluster's interval and eject who falls out
 * @cluster: position; nothing happens without statistics
 * @random: for the jitter
 *
 * An interval is judged once, in its last quarter or, if that was missed, as far as no verdict of
 * the next one has come: call it at least four times an interval. Remembers in *last_interval (0
 * at first) what it judged. Writes the events of ejections done and refused, if s->events is set.
 * One caller at a time (the dataplane's main thread, the simulator). Uses floating point: never
 * on the packet path. Counts nothing: what it did is the caller's to count.
 */
struct outlier_judged outlier_interval(const struct policy_view *v, const struct policy_state *s,
				       uint32_t cluster, uint32_t *last_interval, uint64_t now_ns,
				       struct random *random);

/* One verdict for the interval statistics; @latency_ns 0: none. The worker's own words. */
void outlier_note(struct outcomes *o, const struct image_outlier *rules, int failed,
		  uint64_t latency_ns, uint64_t now_ns);

#endif
