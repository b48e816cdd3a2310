/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/kernel_neighbours.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/log.h"
#include "controlplane/neighbour_netlink.h"
#include "controlplane/neighbour_rows.h"
#include "shm/image.h"

enum {
	WISHES_MS = 20,     /* how long a packet to an unknown next hop may wait for us */
	HOPS_TICKS = 50,    /* managed next hops are told again, the dump is tried again */
	WISHES_A_TICK = 64, /* passed on to the kernel */
	MAX_HOPS = KERNEL_NEIGHBOURS / 2,
};

/* A next hop of the policy. */
struct hop {
	uint8_t ip[16];
	uint8_t interface;
	uint8_t told;
};

enum dump { DUMP_DUE, DUMP_RUNS, DUMP_DONE };

struct neighbour_mirror {
	uv_loop_t *loop;
	const struct region *region;
	const char *wake_path;
	struct neighbour_netlink *netlink; /* NULL: no interface has been shared yet */
	uv_poll_t poll;
	uv_timer_t timer;
	uint32_t ticks;
	enum dump dump;
	int ifindex[MAX_INTERFACES]; /* 0: not shared, or no such device */
	struct hop *hops;            /* in order of hop_order() */
	uint32_t hop_count;
	uint8_t no_managed; /* the kernel is older than 5.16 */
	uint8_t wrote;      /* rows, since the dataplane was woken */
	int refused;        /* the last error told */
	uint64_t full_told;
	struct neighbour_rows rows;
};

/* No reader: no dataplane runs, and one that starts reads the rows first. */
static void wake_dataplane(struct neighbour_mirror *m)
{
	int fd;

	if (!m->wrote)
		return;
	m->wrote = 0;
	fd = open(m->wake_path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	/* A full FIFO wakes as well. */
	if (write(fd, "n", 1) < 0 && errno != EAGAIN)
		log_warn("neighbours", "event=wake_failed error=\"%s\"", strerror(errno));
	close(fd);
}

/* -- next hops of the policy ----------------------------------------------------------------- */

static int hop_order(const void *a, const void *b)
{
	const struct hop *x = a, *y = b;

	if (x->interface != y->interface)
		return x->interface < y->interface ? -1 : 1;
	return memcmp(x->ip, y->ip, sizeof(x->ip));
}

static struct hop *find_hop(const struct neighbour_mirror *m, uint8_t interface,
			    const uint8_t ip[16])
{
	struct hop key = {.interface = interface};

	memcpy(key.ip, ip, sizeof(key.ip));
	if (!m->hop_count)
		return NULL;
	return bsearch(&key, m->hops, m->hop_count, sizeof(key), hop_order);
}

/* The different next hops over shared interfaces, at most MAX_HOPS. NULL without memory. */
static struct hop *collect_hops(const struct neighbour_mirror *m, const struct image_header *policy,
				uint32_t *count)
{
	const struct image_endpoint *e = IMAGE_ARRAY(policy, struct image_endpoint, endpoints);
	struct hop *hops = calloc(policy->endpoints.count + 1, sizeof(*hops));
	uint32_t all = 0, n = 0;

	if (!hops)
		return NULL;
	for (uint32_t i = 0; i < policy->endpoints.count; i++) {
		if (!m->ifindex[e[i].interface])
			continue;
		hops[all].interface = (uint8_t)e[i].interface;
		memcpy(hops[all++].ip, e[i].next_hop.b, sizeof(hops->ip));
	}
	qsort(hops, all, sizeof(*hops), hop_order);
	for (uint32_t i = 0; i < all && n < MAX_HOPS; i++)
		if (n == 0 || hop_order(&hops[n - 1], &hops[i]) != 0)
			hops[n++] = hops[i];
	*count = n;
	return hops;
}

/* -- to the kernel --------------------------------------------------------------------------- */

/* Resolve or confirm it. What others asked of the kernel stays as it is. */
static int use(struct neighbour_mirror *m, uint8_t interface, const uint8_t ip[16], int managed)
{
	const struct neighbour_row *row = neighbour_rows_find(&m->rows, interface, ip);
	uint8_t flags = row ? row->flags & NTF_EXT_LEARNED : 0;

	if (row && (row->nud & NUD_PERMANENT))
		return 0;
	return neighbour_netlink_use(m->netlink, m->ifindex[interface], ip, flags,
				     managed && !m->no_managed ? NTF_EXT_MANAGED : 0);
}

static void tell_hops(struct neighbour_mirror *m)
{
	for (uint32_t i = 0; i < m->hop_count; i++) {
		struct hop *hop = &m->hops[i];

		if (!hop->told)
			hop->told = use(m, hop->interface, hop->ip, 1) == 0;
	}
}

static void forget_hops(struct neighbour_mirror *m, const struct hop *old, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct hop *now = find_hop(m, old[i].interface, old[i].ip);

		if (now)
			now->told = old[i].told;
		else if (m->ifindex[old[i].interface])
			use(m, old[i].interface, old[i].ip, 0);
	}
}

static void begin_dump(struct neighbour_mirror *m)
{
	int rc = neighbour_netlink_dump(m->netlink);

	if (rc) {
		log_warn("neighbours", "event=not_read error=\"%s\"", strerror(-rc));
		return;
	}
	neighbour_rows_unsee(&m->rows);
	m->dump = DUMP_RUNS;
}

/* -- from the kernel ------------------------------------------------------------------------- */

/* MAX_INTERFACES: of none that is shared. */
static uint8_t interface_of(const struct neighbour_mirror *m, int ifindex)
{
	uint8_t i = 0;

	while (i < MAX_INTERFACES && m->ifindex[i] != ifindex)
		i++;
	return i;
}

static void on_news(void *ctx, const struct neighbour_news *news)
{
	struct neighbour_mirror *m = ctx;
	uint8_t interface = interface_of(m, news->ifindex);
	struct hop *hop;

	if (news->ifindex <= 0 || interface == MAX_INTERFACES)
		return;
	if (neighbour_rows_take(&m->rows, interface, news))
		m->wrote = 1;
	hop = news->deleted ? find_hop(m, interface, news->ip) : NULL;
	if (hop)
		hop->told = 0;
}

static void on_dumped(void *ctx)
{
	struct neighbour_mirror *m = ctx;

	if (neighbour_rows_sweep(&m->rows))
		m->wrote = 1;
	m->dump = DUMP_DONE;
	tell_hops(m);
}

static void on_lost(void *ctx)
{
	struct neighbour_mirror *m = ctx;

	log_info("neighbours", "event=reading_again");
	m->dump = DUMP_DUE;
}

static void on_refused(void *ctx, int error, uint32_t ext_flags)
{
	struct neighbour_mirror *m = ctx;

	if (error == -EINVAL && (ext_flags & NTF_EXT_MANAGED) && !m->no_managed) {
		log_info("neighbours", "event=not_managed error=\"%s\"", strerror(-error));
		m->no_managed = 1;
		for (uint32_t i = 0; i < m->hop_count; i++)
			m->hops[i].told = 0;
		return;
	}
	if (error == m->refused)
		return;
	m->refused = error;
	log_warn("neighbours", "event=refused error=\"%s\"", strerror(-error));
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct neighbour_mirror *m = poll->data;

	neighbour_netlink_read(m->netlink);
	if (m->dump == DUMP_DUE)
		begin_dump(m);
	wake_dataplane(m);
}

/* -- the workers' wishes --------------------------------------------------------------------- */

static void grant(struct neighbour_mirror *m, uint8_t interface, const uint8_t ip[16])
{
	const struct neighbour_row *row;

	if (interface >= MAX_INTERFACES || !m->ifindex[interface])
		return;
	row = neighbour_rows_find(&m->rows, interface, ip);
	if (row && row->value.state == KERNEL_NEIGHBOUR_KNOWN) {
		neighbour_rows_repeat(&m->rows, row);
		m->wrote = 1;
	}
	use(m, interface, ip,
	    find_hop(m, interface, ip) || (row && (row->ext_flags & NTF_EXT_MANAGED)));
}

static void take_wishes(struct neighbour_mirror *m)
{
	int left = WISHES_A_TICK;

	for (uint32_t i = 0; i < m->region->shape.workers; i++) {
		struct neighbour_wishes *wishes = &m->region->kernel_neighbours->wishes[i];
		uint8_t interface, ip[16];

		while (left > 0 && neighbour_wish_take(wishes, &interface, ip)) {
			grant(m, interface, ip);
			left--;
		}
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct neighbour_mirror *m = timer->data;

	/* Not before we know which neighbours are permanent. */
	if (m->dump == DUMP_DONE)
		take_wishes(m);
	if (++m->ticks % HOPS_TICKS == 0) {
		if (m->dump == DUMP_DUE)
			begin_dump(m);
		if (m->dump == DUMP_DONE)
			tell_hops(m);
		if (m->rows.full != m->full_told) {
			m->full_told = m->rows.full;
			log_warn("neighbours", "event=table_full rows=%d", KERNEL_NEIGHBOURS);
		}
	}
	wake_dataplane(m);
}

/* -- life ------------------------------------------------------------------------------------ */

int neighbour_mirror_create(struct neighbour_mirror **out, uv_loop_t *loop,
			    const struct region *region, const char *wake_path)
{
	struct neighbour_mirror *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->loop = loop;
	m->region = region;
	m->wake_path = wake_path;
	*out = m;
	return 0;
}

static int open_netlink(struct neighbour_mirror *m)
{
	const struct neighbour_netlink_calls calls = {
		.ctx = m,
		.news = on_news,
		.dumped = on_dumped,
		.lost = on_lost,
		.refused = on_refused,
	};
	int rc;

	m->netlink = neighbour_netlink_open(&calls);
	if (!m->netlink)
		return -errno;
	rc = uv_poll_init(m->loop, &m->poll, neighbour_netlink_fd(m->netlink));
	if (rc) {
		neighbour_netlink_close(m->netlink);
		m->netlink = NULL;
		return rc;
	}
	m->poll.data = m;
	uv_poll_start(&m->poll, UV_READABLE, on_readable);
	uv_timer_init(m->loop, &m->timer);
	m->timer.data = m;
	uv_timer_start(&m->timer, on_timer, WISHES_MS, WISHES_MS);
	neighbour_rows_load(&m->rows, m->region->kernel_neighbours);
	return 0;
}

/* Return 1 when some interface is shared. */
static int find_devices(struct neighbour_mirror *m, const struct image_header *policy)
{
	const struct image_interface *i = IMAGE_ARRAY(policy, struct image_interface, interfaces);
	int any = 0;

	memset(m->ifindex, 0, sizeof(m->ifindex));
	for (uint32_t n = 0; n < policy->interfaces.count; n++) {
		if (!i[n].shared)
			continue;
		m->ifindex[n] = (int)if_nametoindex(image_string(policy, i[n].device));
		any = 1;
	}
	return any;
}

int neighbour_mirror_sync(struct neighbour_mirror *m, const struct image_header *policy)
{
	struct hop *old = m->hops;
	const uint32_t old_count = m->hop_count;
	struct hop *hops;
	uint32_t count;
	int rc;

	if (!find_devices(m, policy))
		return 0;
	hops = collect_hops(m, policy, &count);
	if (!hops)
		return -ENOMEM;
	rc = m->netlink ? 0 : open_netlink(m);
	if (rc) {
		free(hops);
		return rc;
	}
	m->hops = hops;
	m->hop_count = count;
	forget_hops(m, old, old_count);
	free(old);
	if (m->dump == DUMP_DONE)
		tell_hops(m);
	else if (m->dump == DUMP_DUE)
		begin_dump(m);
	return 0;
}

void neighbour_mirror_stop(struct neighbour_mirror *m)
{
	const uint32_t count = m->hop_count;

	if (!m->netlink)
		return;
	m->hop_count = 0;
	forget_hops(m, m->hops, count);
	uv_poll_stop(&m->poll);
	uv_timer_stop(&m->timer);
}

void neighbour_mirror_free(struct neighbour_mirror *m)
{
	if (!m)
		return;
	neighbour_netlink_close(m->netlink);
	free(m->hops);
	free(m);
}
