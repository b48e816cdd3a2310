/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/limits.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/limits_plan.h"
#include "controlplane/limits_private.h"

enum { GRACE_MS = 50 }; /* where the kernel has no membarrier() */

static int put(int fd, const void *key, const void *value)
{
	return bpf_map_update_elem(fd, key, value, BPF_ANY) ? -errno : 0;
}

/* Numbers that @policy has no listener of get the rules that are in force. */
static int keep_rules(const struct limits *l, struct limits_plan *p,
		      const struct limits_policy *policy, uint32_t in_force)
{
	uint8_t named[LIMIT_MAX_LISTENERS] = {0};
	int rc = 0;

	for (size_t i = 0; i < policy->listener_count; i++)
		named[policy->listeners[i].number] = 1;
	for (uint32_t i = 0; i < l->sizes.listeners && !rc; i++) {
		uint32_t row = 2 * i + in_force;

		if (!named[i] && bpf_map_lookup_elem(l->fd.listener_rules, &row, &p->rules[i]))
			rc = -errno;
	}
	return rc;
}

static int write_rules(const struct limits *l, const struct limits_plan *p, uint32_t half)
{
	int rc = 0;

	for (uint32_t i = 0; i < l->sizes.listeners && !rc; i++) {
		uint32_t row = 2 * i + half;

		rc = put(l->fd.listener_rules, &row, &p->rules[i]);
	}
	return rc;
}

static int write_places(const struct limits *l, const struct limits_plan *p)
{
	int rc = 0;

	for (size_t i = 0; i < p->place_count && !rc; i++)
		rc = put(l->fd.addresses, &p->places[i].key, &p->places[i].address);
	for (uint32_t i = 0; i < LIMIT_INTERFACES && !rc; i++)
		rc = put(l->fd.interfaces, &i, &p->interfaces[i]);
	for (size_t i = 0; i < p->bind_count && !rc; i++)
		rc = put(l->fd.listeners, &p->binds[i].key, &p->binds[i].listener);
	return rc;
}

/* Both maps' keys; rows of a plan begin with them. */
enum { KEY_BYTES = 20 };
_Static_assert(sizeof(struct limit_listener_key) == (int)KEY_BYTES &&
		       sizeof(struct limit_address_key) == (int)KEY_BYTES,
	       "one comparison for both");

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, KEY_BYTES);
}

/* Remove every key of @fd but those of @rows, which are sorted by key. */
static void remove_others(int fd, const void *rows, size_t count, size_t bytes)
{
	char kept[KEY_BYTES];
	char next[KEY_BYTES];
	const void *at = NULL;

	while (!bpf_map_get_next_key(fd, at, next)) {
		if (bsearch(next, rows, count, bytes, by_key)) {
			memcpy(kept, next, sizeof(kept));
			at = kept;
		} else if (bpf_map_delete_elem(fd, next)) {
			return;
		}
	}
}

/* Until no program runs that may have read the old word: XDP runs inside RCU. */
static void wait_for_programs(void)
{
	struct timespec grace = {.tv_nsec = GRACE_MS * 1000000l};

	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		nanosleep(&grace, NULL);
}

static int write_plan(struct limits *l, struct limits_plan *p, const struct limits_policy *policy)
{
	uint32_t half = (l->config->active & 1) ^ 1;
	int rc = policy->keep_others ? keep_rules(l, p, policy, half ^ 1) : 0;

	if (!rc)
		rc = write_rules(l, p, half);
	if (!rc)
		rc = write_places(l, p);
	if (rc)
		return rc;
	/* Pairs with the program's volatile read of active. */
	__atomic_store_n(&l->config->active, policy->generation << 1 | half, __ATOMIC_RELEASE);
	wait_for_programs();
	qsort(p->binds, p->bind_count, sizeof(*p->binds), by_key);
	if (!policy->keep_others)
		remove_others(l->fd.listeners, p->binds, p->bind_count, sizeof(*p->binds));
	qsort(p->places, p->place_count, sizeof(*p->places), by_key);
	remove_others(l->fd.addresses, p->places, p->place_count, sizeof(*p->places));
	return 0;
}

int limits_apply(struct limits *l, const struct limits_policy *policy, char *why, size_t why_size)
{
	const struct why to = {why, why_size};
	struct limits_plan p = {.sizes = &l->sizes, .entries = l->entries};
	int rc = plan_make(&p, policy, &to);

	if (!rc) {
		rc = write_plan(l, &p, policy);
		if (rc)
			why_fail(&to, rc, "limits: the kernel refused an update: %s",
				 strerror(-rc));
	}
	plan_free(&p);
	return rc;
}

uint64_t limits_generation(const struct limits *l)
{
	return __atomic_load_n(&l->config->active, __ATOMIC_RELAXED) >> 1;
}
