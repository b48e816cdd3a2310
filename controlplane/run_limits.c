/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/run_limits.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/limits.h"
#include "controlplane/limits_claim.h"
#include "controlplane/limits_drain.h"
#include "controlplane/limits_measure.h"
#include "controlplane/limits_policy.h"
#include "controlplane/limits_resolve.h"
#include "controlplane/limits_seed.h"
#include "controlplane/liveness.h"
#include "controlplane/lock.h"
#include "controlplane/log.h"
#include "controlplane/run_state.h"
#include "controlplane/stats_sum.h"
#include "ebpf/attach.h"
#include "ebpf/object.h"
#include "shm/registry.h"

/* LONGEST_MS: what the dataplane gives connections of names it knows nothing of, and a second */
enum { DRAIN_STEP_MS = 500, WHY_BYTES = 256, NS_PER_MS = 1000000, LONGEST_MS = 31000 };

struct run_limits {
	struct limits *maps; /* NULL: no interface has our program */
	char root[PATH_BYTES];
	int claim;                /* of root; negative: none */
	char fallback[WHY_BYTES]; /* empty: none */
	uint8_t remade;           /* the maps are new, and the region need not be */
	struct limits_wish *in_force;
	struct limits_drain drain;
	uint64_t *keys; /* by listener number: whose counters the maps hold; 0: nobody's */
	/* The maps may hold leavers of a control plane before, until then; 0: no. */
	uint64_t inherited_until_ns;
	uint8_t lost;
	uv_timer_t timer;
	struct limits_measure *measure;
};

static int dataplane_lives(const struct run *run)
{
	return lock_held(run->paths.dataplane_lock) == 1;
}

static int apply(struct run_limits *l, const struct limits_drain *drain, struct limits_wish *wish,
		 char *why, size_t why_size)
{
	struct limits_policy policy = wish->policy;
	struct limits_listener *all = limits_drain_join(drain, wish);
	int rc;

	if (!all) {
		snprintf(why, why_size, "limits: no memory");
		return -ENOMEM;
	}
	policy.lost_pass = l->lost;
	policy.keep_others = l->inherited_until_ns != 0;
	policy.listeners = all;
	policy.listener_count += drain->count;
	rc = limits_apply(l->maps, &policy, why, why_size);
	if (rc == -ENOSPC && drain->count) {
		/* Leavers have no claim to room. */
		policy.listeners = wish->listeners;
		policy.listener_count = wish->policy.listener_count;
		rc = limits_apply(l->maps, &policy, why, why_size);
	}
	free(all);
	return rc;
}

static int listener_is_idle(void *ctx, uint32_t number)
{
	const struct run *run = ctx;
	struct listener_counters sum;

	stats_sum_listener(&sum, &run->region, number);
	return stats_calls_open(&sum.calls) == 0 && stats_calls_in_flight(&sum.calls) == 0;
}

static void on_timer(uv_timer_t *timer)
{
	struct run *run = timer->data;
	struct run_limits *l = run->limits;
	uint64_t now_ns = monotonic_ns();
	size_t over = limits_drain_expire(&l->drain, now_ns, listener_is_idle, run);
	char why[WHY_BYTES];

	if (l->inherited_until_ns && now_ns >= l->inherited_until_ns) {
		l->inherited_until_ns = 0;
		over++;
	}
	if (over && apply(l, &l->drain, l->in_force, why, sizeof(why)))
		log_warn("limits", "event=drained_left error=\"%s\"", why);
	if (!l->drain.count && !l->inherited_until_ns)
		uv_timer_stop(timer);
}

static void look_after_leavers(struct run_limits *l)
{
	if (l->drain.count || l->inherited_until_ns)
		uv_timer_start(&l->timer, on_timer, DRAIN_STEP_MS, DRAIN_STEP_MS);
}

/* Slots that have got another name since begin anew. */
static void forget_former_names(struct run *run, const struct limits_wish *wish)
{
	struct run_limits *l = run->limits;

	for (size_t i = 0; i < wish->policy.listener_count; i++) {
		uint32_t number = wish->listeners[i].number;
		uint64_t key = registry_key(&run->region.listener_registry[number]);

		if (l->keys[number] == key)
			continue;
		if (limits_forget_listener(l->maps, number))
			log_warn("limits", "event=counters_kept listener=%u", number);
		l->keys[number] = key;
	}
}

static uint64_t longest_drain_ms(const struct limits_wish *wish)
{
	uint64_t longest = 0;

	for (size_t i = 0; i < wish->policy.listener_count; i++)
		if (wish->drain_ms[i] > longest)
			longest = wish->drain_ms[i];
	return longest;
}

/* Whom a control plane before let drain only the maps know: they are left alone for that time. */
static void inherit_leavers(struct run_limits *l, const struct limits_wish *wish)
{
	uint64_t ms = longest_drain_ms(wish) + 1000;

	if (ms < LONGEST_MS)
		ms = LONGEST_MS;
	l->inherited_until_ns = monotonic_ns() + ms * NS_PER_MS;
}

static int put_in_force(struct run *run, struct limits_wish *wish, char *why, size_t why_size)
{
	struct run_limits *l = run->limits;
	struct limits_drain drain;
	int rc = limits_drain_change(&drain, &l->drain, l->in_force, wish, monotonic_ns());

	if (rc) {
		snprintf(why, why_size, "limits: no memory");
		return rc;
	}
	forget_former_names(run, wish);
	rc = apply(l, &drain, wish, why, why_size);
	if (rc) {
		char again[WHY_BYTES];

		/* An update may have been refused half way. */
		if (l->in_force && apply(l, &l->drain, l->in_force, again, sizeof(again)))
			log_error("limits", "event=not_put_back error=\"%s\"", again);
		limits_drain_free(&drain);
		return rc;
	}
	limits_drain_free(&l->drain);
	limits_wish_free(l->in_force);
	l->drain = drain;
	l->in_force = wish;
	look_after_leavers(l);
	return 0;
}

int run_limits_stage(void *ctx, const struct image_header *image, uint64_t generation, char *why,
		     size_t why_size)
{
	struct run *run = ctx;
	struct run_limits *l = run->limits;
	struct limits_wish *wish;
	int rc;

	if (!l || !l->maps)
		return 0;
	wish = limits_wish_create(image, run->region.interfaces, &run->region);
	if (!wish) {
		rc = -errno;
		snprintf(why, why_size, "limits: %s",
			 rc == -ENOENT ? "a listener's name has no slot" : "no memory");
		return rc;
	}
	wish->policy.generation = generation;
	if (!l->in_force && limits_generation(l->maps))
		inherit_leavers(l, wish);
	rc = put_in_force(run, wish, why, why_size);
	if (rc)
		limits_wish_free(wish);
	return rc;
}

int run_limits_lost(struct run *run, int lost)
{
	struct run_limits *l = run->limits;
	char why[WHY_BYTES];
	int rc;

	if (!l || !l->maps || l->lost == (lost != 0))
		return 0;
	l->lost = lost != 0;
	if (!l->in_force)
		return 0;
	rc = apply(l, &l->drain, l->in_force, why, sizeof(why));
	if (rc)
		log_error("limits", "event=not_told lost=%d error=\"%s\"", l->lost, why);
	return rc;
}

/* -- the start ------------------------------------------------------------------------------- */

static int sizes_of(struct limits_sizes *sizes, const struct run *run,
		    const struct interface_control *control)
{
	const struct image_header *image = run->wanted->image;
	struct limits_wish *wish = limits_wish_create(image, control, NULL);

	if (!wish)
		return -errno;
	*sizes = (struct limits_sizes){
		.listeners = run->region.shape.listener_slots,
		.connections = image->sidecar.connections,
		.sources = image->sidecar.connections,
		.snat_ports = (uint32_t)limits_snat_ports(&wish->policy),
	};
	limits_wish_free(wish);
	return 0;
}

/* Open the maps for interfaces that are run by @control. */
static int open_maps(struct run *run, const struct interface_control *control, int may_remake)
{
	struct run_limits *l = run->limits;
	struct limits_sizes sizes;
	int rc = sizes_of(&sizes, run, control);

	if (rc)
		return run_fail(run, "limits", rc);
	l->remade = !limits_pinned(l->root);
	l->maps = limits_open(l->root, &sizes, run->why, sizeof(run->why));
	if (!l->maps && errno == ESTALE && may_remake) {
		log_info("limits", "event=remade reason=\"%s\"", run->why);
		limits_remove(l->root);
		l->remade = 1;
		l->maps = limits_open(l->root, &sizes, run->why, sizeof(run->why));
	}
	return l->maps ? 0 : -errno;
}

static void resolve_all(struct interface_control *control, const struct image_header *image,
			int have_maps)
{
	for (uint32_t i = 0; i < image->interfaces.count; i++)
		limits_resolve(&control[i], image, i, have_maps);
}

static int any_has_program(const struct interface_control *control)
{
	for (int i = 0; i < MAX_INTERFACES; i++)
		if (control[i].program == PROGRAM_FENDER)
			return 1;
	return 0;
}

/* "interfaces[1] (shared: true)": the first that cannot do without the program; or empty. */
static void first_need(const struct image_header *image, char *out, size_t out_size)
{
	out[0] = '\0';
	for (uint32_t i = 0; i < image->interfaces.count && !out[0]; i++)
		if (limits_needs_program(image, i))
			snprintf(out, out_size, "interfaces[%u] (%s)", i, limits_need(image, i));
}

/* There are no maps, run->why says why. Return: 0 when the policy can do without. Whoever must not
 * load our program must not load libxdp's in its place either. */
static int fall_back(struct run *run, struct interface_control *control, int rc)
{
	struct run_limits *l = run->limits;
	const struct image_header *image = run->wanted->image;
	char need[64];
	char why[WHY_BYTES];

	first_need(image, need, sizeof(need));
	snprintf(why, sizeof(why), "%.*s", WHY_BYTES - 1, run->why);
	if (need[0]) {
		snprintf(run->why, sizeof(run->why), "%s needs the XDP program: %s", need, why);
		return rc;
	}
	if (object_missing_capability())
		return rc;
	run->why[0] = '\0';
	snprintf(l->fallback, sizeof(l->fallback), "%s", why);
	log_warn("limits", "event=fallback limiter=dpdk error=\"%s\"", why);
	attach_end(l->root);
	resolve_all(control, image, 0);
	return 0;
}

/* Programs on devices that this policy has no use for: both processes were killed with another. */
static void leave_other_devices(const struct run_limits *l, const struct image_header *image,
				const struct interface_control *control)
{
	const struct image_interface *rows = IMAGE_ARRAY(image, struct image_interface, interfaces);
	int kept[MAX_INTERFACES];
	size_t count = 0;
	int rc;

	for (uint32_t i = 0; i < image->interfaces.count; i++)
		if (control[i].program == PROGRAM_FENDER)
			kept[count++] = (int)if_nametoindex(image_string(image, rows[i].device));
	rc = attach_end_others(l->root, kept, count);
	if (rc)
		log_warn("limits", "event=left root=%s error=\"%s\"", l->root, strerror(-rc));
}

/* No dataplane runs. */
static int open_anew(struct run *run)
{
	struct run_limits *l = run->limits;
	struct interface_control control[MAX_INTERFACES] = {0};
	int rc = 0;

	resolve_all(control, run->wanted->image, 1);
	/* Nothing was ever published in this region: what is pinned belongs to one before. */
	if (run->region.header->active == 0 || !any_has_program(control)) {
		attach_end(l->root);
		limits_remove(l->root);
	}
	leave_other_devices(l, run->wanted->image, control);
	if (run->renumbered)
		limits_remove(l->root);
	if (any_has_program(control))
		rc = open_maps(run, control, 1);
	if (rc)
		rc = fall_back(run, control, rc);
	if (rc == 0)
		memcpy(run->region.interfaces, control, sizeof(control));
	return rc;
}

/* As limits_resolve() may have made it; anything else was written over it. */
static int is_possible(const struct interface_control *c, uint32_t number, uint32_t interfaces)
{
	struct interface_control same = {
		.limiter = c->limiter, .program = c->program, .row = number};

	if (number >= interfaces)
		same = (struct interface_control){0};
	return memcmp(c, &same, sizeof(same)) == 0 && c->limiter <= LIMITER_NONE &&
	       c->program <= PROGRAM_DEFAULT;
}

static void repair_control(const struct run *run)
{
	const struct image_header *image = run->wanted->image;
	struct interface_control control[MAX_INTERFACES] = {0};

	for (uint32_t i = 0; i < MAX_INTERFACES; i++) {
		if (is_possible(&run->region.interfaces[i], i, image->interfaces.count))
			continue;
		/* The maps are there if it was started with them. */
		resolve_all(control, image, limits_pinned(run->limits->root));
		memcpy(run->region.interfaces, control, sizeof(control));
		log_error("region", "event=interfaces_repaired");
		return;
	}
}

/* A dataplane runs: it keeps what it was started with, and so do its maps. */
static int open_met(struct run *run)
{
	struct run_limits *l = run->limits;
	char why[WHY_BYTES];
	int rc;

	repair_control(run);
	if (!any_has_program(run->region.interfaces))
		return 0;
	if (!limits_pinned(l->root)) {
		snprintf(run->why, sizeof(run->why),
			 "limits: the dataplane that runs has its maps in %s and they are gone: is "
			 "--bpf-dir another one? Else stop that dataplane first",
			 l->root);
		return -ENOENT;
	}
	rc = open_maps(run, run->region.interfaces, 0);
	if (rc == -ESTALE) {
		snprintf(why, sizeof(why), "%.*s", WHY_BYTES - 1, run->why);
		snprintf(run->why, sizeof(run->why),
			 "%s, and a dataplane runs by them: stop it first", why);
	}
	return rc;
}

/* What the maps hold belongs to the names that have slots now. */
static int read_keys(struct run *run)
{
	uint32_t slots = run->region.shape.listener_slots;
	uint64_t *keys = calloc(slots, sizeof(*keys));

	if (!keys)
		return -ENOMEM;
	for (uint32_t i = 0; i < slots; i++)
		keys[i] = registry_key(&run->region.listener_registry[i]);
	run->limits->keys = keys;
	return 0;
}

static struct limits_report *begin_report(void *ctx)
{
	const struct run *run = ctx;

	return limits_report_create(run->limits->maps, &run->region,
				    reloader_policy(run->reloader));
}

static int start_measure(struct run *run)
{
	const struct limits_measure_config config = {&run->loop, run, begin_report};

	run->limits->measure = limits_measure_create(&config);
	return run->limits->measure ? 0 : -ENOMEM;
}

int run_limits_ask(struct run *run, limits_measured *done, void *ctx)
{
	return limits_measure_ask(run->limits->measure, done, ctx);
}

static int root_of(const struct run *run, char root[PATH_BYTES])
{
	int n = snprintf(root, PATH_BYTES, "%s/fender-%s", run->options->bpf_dir, run->instance);

	return n < 0 || n >= PATH_BYTES ? -ENAMETOOLONG : 0;
}

int run_open_limits(struct run *run)
{
	struct run_limits *l = calloc(1, sizeof(*l));
	int n;

	if (!l)
		return run_fail(run, "limits", -ENOMEM);
	run->limits = l;
	l->claim = -1;
	if (root_of(run, l->root))
		return run_fail(run, "--bpf-dir", -ENAMETOOLONG);
	if (read_keys(run))
		return run_fail(run, "limits", -ENOMEM);
	l->claim = limits_claim(l->root);
	if (l->claim == -EWOULDBLOCK) {
		snprintf(run->why, sizeof(run->why),
			 "limits: another `fender run` has its maps in %s: give this one another "
			 "sidecar.name or --bpf-dir",
			 l->root);
		return -EWOULDBLOCK;
	}
	uv_timer_init(&run->loop, &l->timer);
	l->timer.data = run;
	if (start_measure(run))
		return run_fail(run, "limits", -ENOMEM);
	n = dataplane_lives(run) ? open_met(run) : open_anew(run);
	memcpy(run->interfaces, run->region.interfaces, sizeof(run->interfaces));
	return n;
}

void run_limits_forget(const struct run *run)
{
	char root[PATH_BYTES];
	int rc = root_of(run, root);

	if (rc == 0)
		rc = limits_remove(root);
	if (rc)
		log_warn("limits", "event=left root=%s error=\"%s\"", root, strerror(-rc));
}

void run_limits_seed(struct run *run)
{
	struct run_limits *l = run->limits;
	int rc = 0;

	if (l->maps && l->remade && l->in_force)
		rc = limits_seed(l->maps, &l->in_force->policy, reloader_policy(run->reloader),
				 &run->region);
	if (rc)
		log_warn("limits", "event=not_seeded error=\"%s\"", strerror(-rc));
}

/* -- the end --------------------------------------------------------------------------------- */

void run_close_limits(struct run *run)
{
	struct run_limits *l = run->limits;
	int rc;

	limits_measure_stop(l->measure);
	uv_timer_stop(&l->timer);
	if (!l->maps || dataplane_lives(run) || run_leaves_state(run))
		return;
	rc = attach_end(l->root);
	if (rc == 0)
		rc = limits_remove(l->root);
	if (rc)
		log_warn("limits", "event=left root=%s error=\"%s\"", l->root, strerror(-rc));
}

void run_free_limits(struct run *run)
{
	struct run_limits *l = run->limits;

	if (!l)
		return;
	limits_measure_free(l->measure);
	limits_close(l->maps);
	limits_wish_free(l->in_force);
	limits_drain_free(&l->drain);
	free(l->keys);
	limits_unclaim(l->root, l->claim);
	free(l);
	run->limits = NULL;
}

const char *run_limits_root(const struct run *run)
{
	return any_has_program(run->region.interfaces) ? run->limits->root : NULL;
}

const struct limits *run_limits_maps(const struct run *run)
{
	return run->limits ? run->limits->maps : NULL;
}

const char *run_limits_fallback(const struct run *run)
{
	return run->limits && run->limits->fallback[0] ? run->limits->fallback : NULL;
}
