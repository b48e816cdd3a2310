/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's neighbour table by rtnetlink: dump, changes, and requests to look after one. */
#ifndef FENDER_CONTROLPLANE_NEIGHBOUR_NETLINK_H
#define FENDER_CONTROLPLANE_NEIGHBOUR_NETLINK_H

#include <stdint.h>

struct neighbour_netlink;

/* One neighbour, as the kernel tells it. */
struct neighbour_news {
	int ifindex;
	uint8_t ip[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t mac[6]; /* all zero: none */
	uint16_t nud;   /* NUD_* */
	uint8_t deleted;
	uint8_t flags;      /* NTF_* */
	uint32_t ext_flags; /* NTF_EXT_* */
};

struct neighbour_netlink_calls {
	void *ctx;
	void (*news)(void *ctx, const struct neighbour_news *news);
	void (*dumped)(void *ctx); /* all of a dump has been told */
	/* News were lost, or a dump ended early: dump again. */
	void (*lost)(void *ctx);
	/* The kernel refused to look after a neighbour; ext_flags as they were asked for. */
	void (*refused)(void *ctx, int error, uint32_t ext_flags);
};

/* A socket that hears changes. Return: NULL with errno. */
struct neighbour_netlink *neighbour_netlink_open(const struct neighbour_netlink_calls *calls);
void neighbour_netlink_close(struct neighbour_netlink *n);

/* Readable: neighbour_netlink_read(). */
int neighbour_netlink_fd(const struct neighbour_netlink *n);

/* Take what is there, a bounded number of messages. */
void neighbour_netlink_read(struct neighbour_netlink *n);

/* Begin a dump; one at a time. Return: 0, -errno. */
int neighbour_netlink_dump(struct neighbour_netlink *n);

/**
 * neighbour_netlink_use() - let the kernel resolve an address, or confirm what it knows
 * @flags: NTF_EXT_LEARNED, when it is set and shall stay
 * @ext_flags: NTF_EXT_MANAGED: keep it resolved from now on; without it, no longer
 * Never for a permanent neighbour, which would be one no longer. Return: 0, -errno.
 */
int neighbour_netlink_use(struct neighbour_netlink *n, int ifindex, const uint8_t ip[16],
			  uint8_t flags, uint32_t ext_flags);

#endif
