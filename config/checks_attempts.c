/* SPDX-License-Identifier: Apache-2.0 */
/* Timeouts, retry and health checks. */
#include "config/checks.h"

/* A listener of @protocol that uses the cluster, or NULL. */
static const struct policy_listener *user_of(const struct policy *p, size_t cluster,
					     uint64_t protocol)
{
	for (size_t i = 0; i < p->listeners.count; i++) {
		const struct policy_listener *l = &p->listeners.items[i];

		if (l->cluster_index == cluster && l->protocol == protocol)
			return l;
	}
	return NULL;
}

void check_timeouts(struct check *c)
{
	for (size_t i = 0; i < c->policy->clusters.count; i++) {
		const struct policy_timeouts *t = &c->policy->clusters.items[i].timeouts;
		char connect[VALUE_TEXT_BYTES], request[VALUE_TEXT_BYTES];

		if (t->map.errors != 0)
			continue;
		if (t->connect_ms > t->request_ms)
			yaml_error(c->d, check_at(&t->map, "connect"),
				   "connect is %s, longer than request, which is %s; expected "
				   "connect of at most %s",
				   check_duration(t->connect_ms, connect),
				   check_duration(t->request_ms, request), request);
		if (t->expect_reply_ms != 0 && user_of(c->policy, i, PROTO_TCP) != NULL &&
		    user_of(c->policy, i, PROTO_UDP) == NULL)
			yaml_error(c->d, check_at(&t->map, "expect_reply"),
				   "only udp uses this, but the cluster's listeners are tcp; "
				   "expected not to find this key");
	}
}

/* The second attempt must have time to connect before the whole is over. */
static void check_retry_fits(struct check *c, const struct policy_cluster *cluster)
{
	const struct policy_timeouts *t = &cluster->timeouts;
	char connect[VALUE_TEXT_BYTES], request[VALUE_TEXT_BYTES], most[VALUE_TEXT_BYTES];

	if (t->map.errors != 0 || t->connect_ms > t->request_ms ||
	    2 * t->connect_ms <= t->request_ms)
		return;
	yaml_error(c->d, check_at(&cluster->retry.map, "max_attempts"),
		   "after a connect timeout of %s no retry fits request, which is %s; expected "
		   "timeouts.connect of at most %s, or max_attempts: 1",
		   check_duration(t->connect_ms, connect), check_duration(t->request_ms, request),
		   check_duration(t->request_ms / 2, most));
}

static void check_retry(struct check *c, size_t number)
{
	const struct policy_cluster *cluster = &c->policy->clusters.items[number];
	const struct policy_retry *r = &cluster->retry;
	const struct policy_listener *udp = user_of(c->policy, number, PROTO_UDP);
	char base[VALUE_TEXT_BYTES], most[VALUE_TEXT_BYTES];

	if (udp != NULL)
		yaml_error(c->d, r->map.node,
			   "udp is never retried, and the listener on line %u is udp; expected a "
			   "cluster without retry for it",
			   udp->map.node->line);
	if (check_retries(cluster))
		check_retry_fits(c, cluster);
	if (r->backoff.base_us > r->backoff.max_us)
		yaml_error(c->d, check_at(&r->backoff.map, "base"),
			   "base is %s, longer than max; expected at most %s",
			   value_print_duration(r->backoff.base_us * 1000, base),
			   value_print_duration(r->backoff.max_us * 1000, most));
}

void check_retries_fit(struct check *c)
{
	for (size_t i = 0; i < c->policy->clusters.count; i++) {
		if (check_sound(&c->policy->clusters.items[i].retry.map))
			check_retry(c, i);
	}
}

/* Is it one of ours on an interface that is not shared, from which the kernel cannot send? */
static const struct policy_address *own_address(const struct policy *p, const struct address *a)
{
	for (size_t i = 0; i < p->interfaces.count; i++) {
		const struct policy_interface *interface = &p->interfaces.items[i];

		for (size_t k = 0; k < interface->addresses.count && !interface->shared; k++) {
			if (address_same_ip(&interface->addresses.items[k].address, a))
				return &interface->addresses.items[k];
		}
	}
	return NULL;
}

/* Do shared interfaces, which the kernel uses too, lead to all endpoints? */
static bool kernel_reaches(const struct policy *p, const struct policy_cluster *cluster)
{
	for (size_t i = 0; i < cluster->endpoints.count && p->interfaces.count != 0; i++) {
		if (!p->interfaces.items[cluster->endpoints.items[i].interface_index].shared)
			return false;
	}
	for (size_t i = 0; i < p->interfaces.count; i++) {
		if (p->interfaces.items[i].shared)
			return true;
	}
	return false;
}

static void check_source(struct check *c, const struct policy_cluster *cluster)
{
	const struct policy_health_check *h = &cluster->health_check;
	const struct yaml_node *node = check_at(&h->map, "source");
	const struct policy_address *own = own_address(c->policy, &h->source);
	uint8_t family =
		cluster->endpoints.count != 0 ? cluster->endpoints.items[0].address.family : 0;

	if (h->source.family == 0 && !kernel_reaches(c->policy, cluster))
		check_missing(c, &h->map, "source",
			      "an address that the kernel itself holds on a way to the endpoints, "
			      "such as one of kernel_addresses: interfaces that are not shared "
			      "belong to Fender, so that probes cannot use them");
	else if (h->source.family == 0)
		return;
	else if (own != NULL)
		yaml_error(c->d, node,
			   "found Fender's own address (line %u), from which the kernel cannot "
			   "send; expected one that the kernel itself holds",
			   own->node->line);
	else if (family != 0 && family != h->source.family)
		yaml_error(c->d, node, "found an IPv%d address, expected IPv%d like the endpoints",
			   h->source.family, family);
}

static void check_probe_times(struct check *c, const struct policy_health_check *h)
{
	uint64_t least_ms = h->interval_ms < h->unhealthy_interval_ms ? h->interval_ms
								      : h->unhealthy_interval_ms;
	char found[VALUE_TEXT_BYTES], bound[VALUE_TEXT_BYTES];

	if (h->timeout_ms > least_ms)
		yaml_error(c->d, check_at(&h->map, "timeout"),
			   "timeout is %s, longer than the time between two probes; expected at "
			   "most %s",
			   check_duration(h->timeout_ms, found), check_duration(least_ms, bound));
}

static void check_http_keys(struct check *c, const struct policy_health_check *h)
{
	static const char *const keys[] = {"path", "host"};

	for (size_t i = 0; i < 2 && h->type != HEALTH_HTTP; i++) {
		if (check_given(&h->map, keys[i]))
			yaml_error(c->d, check_at(&h->map, keys[i]),
				   "only http uses this; expected type: http, or not to find this "
				   "key");
	}
}

void check_health_checks(struct check *c)
{
	for (size_t i = 0; i < c->policy->clusters.count; i++) {
		const struct policy_cluster *cluster = &c->policy->clusters.items[i];
		const struct policy_health_check *h = &cluster->health_check;

		if (!check_sound(&h->map))
			continue;
		check_http_keys(c, h);
		check_probe_times(c, h);
		if (h->type != HEALTH_NONE)
			check_source(c, cluster);
	}
}
