/* SPDX-License-Identifier: Apache-2.0 */
/* Rate limits, and the guard of reloads. */
#include "config/checks.h"

/* One rate of a limit: a limit per connection may have two. */
struct limited {
	struct policy_limit *limit;
	struct policy_rate *rate;
	const char *unit;  /* of one: "packet" */
	bool bytes;        /* sizes rather than numbers */
	uint32_t least;    /* that must pass at once, or nothing of that size ever does */
	const char *about; /* what @least is */
};

bool check_is_window(const struct policy_limit *limit)
{
	return limit->algorithm == IMAGE_LIMIT_FIXED_WINDOW ||
	       limit->algorithm == IMAGE_LIMIT_SLIDING_WINDOW;
}

/* 1 for a number beyond 64 bits. */
static int seconds_worth(uint64_t per_second, uint64_t hundredths, uint64_t *units)
{
	unsigned __int128 product = (unsigned __int128)per_second * hundredths / 100;

	*units = (uint64_t)product;
	return product >> 64 != 0;
}

static const char *print_units(const struct limited *l, uint64_t units, char *out)
{
	char text[VALUE_TEXT_BYTES];

	if (l->bytes)
		snprintf(out, VALUE_TEXT_BYTES * 2, "%s", value_print_size(units, text));
	else
		snprintf(out, VALUE_TEXT_BYTES * 2, "%llu %s%s", (unsigned long long)units, l->unit,
			 units == 1 ? "" : "s");
	return out;
}

/* Is what may pass at a time too little or too much? */
static void check_capacity(struct check *c, const struct limited *l, const char *key,
			   uint64_t units, uint64_t most)
{
	const struct yaml_node *node = check_at(&l->limit->map, key);
	char found[VALUE_TEXT_BYTES * 2], bound[VALUE_TEXT_BYTES * 2];

	if (units < l->least)
		yaml_error(c->d, node,
			   "%s makes %s, less than %s, which would never pass; expected what makes "
			   "at least %s",
			   key, print_units(l, units, found), l->about,
			   print_units(l, l->least, bound));
	else if (units > most)
		yaml_error(c->d, node, "%s makes %s; expected what makes at most %s", key,
			   print_units(l, units, found), print_units(l, most, bound));
}

static void check_window(struct check *c, const struct limited *l)
{
	/* below 2^64 by the ranges of the keys */
	check_capacity(c, l, "window", l->rate->per_second * l->limit->window_ms / 1000,
		       MAX_LIMIT_COUNT);
}

static void check_burst(struct check *c, const struct limited *l)
{
	const struct value_burst *burst = &l->limit->burst;
	uint64_t per_second = l->rate->per_second, *units = &l->rate->burst;
	uint64_t most = per_second * MAX_LIMIT_FILL_S;

	if (most > MAX_LIMIT_BURST)
		most = MAX_LIMIT_BURST;
	*units = burst->value;
	if (burst->unit == BURST_NONE)
		*units = per_second > l->least ? per_second : l->least;
	else if (burst->unit == BURST_SECONDS) {
		if (seconds_worth(per_second, burst->value, units))
			*units = UINT64_MAX;
	} else if ((burst->unit == BURST_BYTES) != l->bytes) {
		yaml_error(c->d, check_at(&l->limit->map, "burst"),
			   "found %s, expected %s or seconds' worth such as 2x",
			   l->bytes ? "a number" : "bytes",
			   l->bytes ? "a size such as 64KiB" : "a number such as 50");
		return;
	}
	check_capacity(c, l, "burst", *units, most);
}

static void check_rate(struct check *c, const struct limited *l)
{
	if (l->rate->per_second == 0)
		return;
	if (check_is_window(l->limit))
		check_window(c, l);
	else
		check_burst(c, l);
}

/* What holds for every limit; whether its rates are worth a look. */
static bool check_form(struct check *c, const struct policy_limit *l)
{
	bool window = check_is_window(l);
	size_t errors = diagnostics_errors(c->d);

	if (l->action == IMAGE_LIMIT_OBSERVE && l->mode == MODE_ENFORCE &&
	    check_given(&l->map, "mode"))
		yaml_error(c->d, check_at(&l->map, "action"),
			   "found observe, but mode is enforce; expected one of the two to give "
			   "way");
	if (window && check_given(&l->map, "burst"))
		yaml_error(c->d, check_at(&l->map, "burst"),
			   "a window has no burst; expected algorithm: token_bucket or "
			   "leaky_bucket, or not to find this key");
	if (!window && check_given(&l->map, "window"))
		yaml_error(c->d, check_at(&l->map, "window"),
			   "a bucket has no window; expected algorithm: fixed_window or "
			   "sliding_window, or not to find this key");
	if (l->packets.per_second != 0 && l->bytes.per_second != 0 &&
	    (l->burst.unit == BURST_UNITS || l->burst.unit == BURST_BYTES))
		yaml_error(c->d, check_at(&l->map, "burst"),
			   "packets and bytes are both limited; expected seconds' worth of either "
			   "such as 2x");
	return errors == diagnostics_errors(c->d);
}

static void check_connection(struct check *c, struct policy_listener *listener)
{
	struct policy_limit *l = &listener->rate_limit.per_connection;
	const struct policy_interface *interface =
		listener->interface_index != NOT_FOUND
			? &c->policy->interfaces.items[listener->interface_index]
			: NULL;
	uint64_t mtu = interface != NULL && interface->mtu != 0 ? interface->mtu : COMMON_MTU;
	const struct limited rates[] = {
		{l, &l->packets, "packet", false, 1, "one packet"},
		{l, &l->bytes, "byte", true, (uint32_t)mtu, "the interface's longest packet"},
	};

	if (!check_sound(&l->map))
		return;
	if (l->packets.per_second == 0 && l->bytes.per_second == 0)
		check_missing(c, &l->map, "packets_per_second",
			      "it or bytes_per_second, for example 20k");
	if (listener->protocol == PROTO_UDP && l->action == IMAGE_LIMIT_MARK)
		yaml_error(c->d, check_at(&l->map, "action"),
			   "found mark, but the listener is udp, which no mark slows down; "
			   "expected drop or observe");
	if (!check_form(c, l))
		return;
	for (size_t i = 0; i < 2; i++)
		check_rate(c, &rates[i]);
}

static void check_starts(struct check *c, struct policy_limit *l)
{
	const struct limited rate = {l, &l->connections, "connection", false, 1, "one connection"};

	if (check_sound(&l->map) && check_form(c, l))
		check_rate(c, &rate);
}

/* Any UDP packet may begin a flow, with a limit of its own: only limits on starts bound them. */
static void check_udp(struct check *c, const struct policy_listener *listener)
{
	const struct policy_rate_limit *r = &listener->rate_limit;
	static const char why[] = "a limit on starts: the listener is udp, where every packet may "
				  "begin a flow and so escape per_connection";

	if (listener->protocol != PROTO_UDP || r->per_connection.map.node == NULL)
		return;
	if (r->per_source.map.node == NULL)
		check_missing(c, &r->map, "per_source", why);
	if (r->listener.map.node == NULL)
		check_missing(c, &r->map, "listener", why);
}

void check_rate_limits(struct check *c)
{
	for (size_t i = 0; i < c->policy->listeners.count; i++) {
		struct policy_listener *listener = &c->policy->listeners.items[i];
		struct policy_rate_limit *r = &listener->rate_limit;

		if (r->map.node == NULL || r->map.node->kind != YAML_MAP)
			continue;
		if (r->map.node->count == 0)
			yaml_error(c->d, r->map.node,
				   "found nothing, expected per_connection, per_source or "
				   "listener");
		check_connection(c, listener);
		check_starts(c, &r->per_source);
		check_starts(c, &r->listener);
		check_udp(c, listener);
		if (listener->interface_index != NOT_FOUND &&
		    c->policy->interfaces.items[listener->interface_index].limiter == LIMITER_NONE)
			yaml_warning(c->d, r->map.node,
				     "interface %s has limiter: none, so nobody enforces this",
				     listener->interface);
	}
}

void check_reload(struct check *c)
{
	const struct policy_reload *r = &c->policy->reload;

	if (check_sound(&r->map) && r->rollback_if.error_rate == 0 && r->rollback_if.p99_us == 0)
		yaml_error(c->d, check_at(&r->map, "rollback_if"),
			   "error_rate and p99 are both 0, so that nothing is watched; expected "
			   "one of them, or no reload");
}
