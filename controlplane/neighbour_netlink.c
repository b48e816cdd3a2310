/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/neighbour_netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "shm/image.h"

enum {
	RECEIVE_BYTES = 1 << 20, /* of the socket: some thousand changes */
	MESSAGE_BYTES = 32768,   /* the kernel's largest part of a dump */
	READS = 64,              /* parts taken at once */
};

struct neighbour_netlink {
	struct mnl_socket *socket;
	struct neighbour_netlink_calls calls;
	uint32_t seq;
	uint32_t dump_seq; /* of the dump under way; 0: none */
	uint8_t interrupted;
	uint8_t buffer[MESSAGE_BYTES] __attribute__((aligned(8)));
};

struct neighbour_netlink *neighbour_netlink_open(const struct neighbour_netlink_calls *calls)
{
	struct neighbour_netlink *n = calloc(1, sizeof(*n));
	int bytes = RECEIVE_BYTES;

	if (!n)
		return NULL;
	n->calls = *calls;
	n->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (!n->socket || mnl_socket_bind(n->socket, RTMGRP_NEIGH, MNL_SOCKET_AUTOPID) < 0) {
		neighbour_netlink_close(n);
		return NULL;
	}
	/* What does not fit is told as ENOBUFS, so a refusal only makes that more likely. */
	(void)setsockopt(neighbour_netlink_fd(n), SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
			 sizeof(bytes));
	return n;
}

void neighbour_netlink_close(struct neighbour_netlink *n)
{
	const int error = errno;

	if (!n)
		return;
	if (n->socket)
		mnl_socket_close(n->socket);
	free(n);
	errno = error;
}

int neighbour_netlink_fd(const struct neighbour_netlink *n)
{
	return mnl_socket_get_fd(n->socket);
}

static int send_message(struct neighbour_netlink *n, const struct nlmsghdr *message)
{
	return mnl_socket_sendto(n->socket, message, message->nlmsg_len) < 0 ? -errno : 0;
}

static struct nlmsghdr *begin(struct neighbour_netlink *n, void *buffer, uint16_t type,
			      uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	if (++n->seq == 0)
		n->seq = 1;
	message->nlmsg_seq = n->seq;
	return message;
}

int neighbour_netlink_dump(struct neighbour_netlink *n)
{
	uint8_t buffer[MNL_NLMSG_HDRLEN + sizeof(struct ndmsg)] __attribute__((aligned(8)));
	struct nlmsghdr *message = begin(n, buffer, RTM_GETNEIGH, NLM_F_DUMP);
	int rc;

	mnl_nlmsg_put_extra_header(message, sizeof(struct ndmsg));
	rc = send_message(n, message);
	if (rc == 0) {
		n->dump_seq = message->nlmsg_seq;
		n->interrupted = 0;
	}
	return rc;
}

int neighbour_netlink_use(struct neighbour_netlink *n, int ifindex, const uint8_t ip[16],
			  uint8_t flags, uint32_t ext_flags)
{
	uint8_t buffer[128] __attribute__((aligned(8)));
	struct nlmsghdr *message = begin(n, buffer, RTM_NEWNEIGH, NLM_F_CREATE);
	struct ndmsg *neighbour = mnl_nlmsg_put_extra_header(message, sizeof(*neighbour));

	neighbour->ndm_ifindex = ifindex;
	neighbour->ndm_flags = NTF_USE | flags;
	if (image_ip_is_v4(ip)) {
		neighbour->ndm_family = AF_INET;
		mnl_attr_put(message, NDA_DST, 4, ip + 12);
	} else {
		neighbour->ndm_family = AF_INET6;
		mnl_attr_put(message, NDA_DST, 16, ip);
	}
	if (ext_flags)
		mnl_attr_put_u32(message, NDA_FLAGS_EXT, ext_flags);
	return send_message(n, message);
}

/* Return 0 when the attribute says something we understand. */
static int read_attribute(struct neighbour_news *news, uint8_t family, const struct nlattr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const uint8_t *value = mnl_attr_get_payload(a);
	uint16_t bytes = mnl_attr_get_payload_len(a);

	switch (mnl_attr_get_type(a)) {
	case NDA_DST:
		if (bytes != (family == AF_INET ? 4 : 16))
			return -1;
		memcpy(news->ip, mapped, sizeof(mapped));
		memcpy(family == AF_INET ? news->ip + 12 : news->ip, value, bytes);
		return 0;
	case NDA_LLADDR:
		if (bytes == sizeof(news->mac))
			memcpy(news->mac, value, sizeof(news->mac));
		return 0;
	case NDA_FLAGS_EXT:
		if (bytes == sizeof(news->ext_flags))
			memcpy(&news->ext_flags, value, sizeof(news->ext_flags));
		return 0;
	default:
		return 0;
	}
}

static void tell_news(struct neighbour_netlink *n, const struct nlmsghdr *message)
{
	const struct ndmsg *neighbour = mnl_nlmsg_get_payload(message);
	struct neighbour_news news = {0};
	const struct nlattr *a;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*neighbour))
		return;
	if (neighbour->ndm_family != AF_INET && neighbour->ndm_family != AF_INET6)
		return;
	if (neighbour->ndm_flags & NTF_PROXY)
		return;
	news.ifindex = neighbour->ndm_ifindex;
	news.nud = neighbour->ndm_state;
	news.flags = neighbour->ndm_flags;
	news.deleted = message->nlmsg_type == RTM_DELNEIGH;
	mnl_attr_for_each(a, message, sizeof(*neighbour))
	{
		if (read_attribute(&news, neighbour->ndm_family, a))
			return;
	}
	n->calls.news(n->calls.ctx, &news);
}

static void end_dump(struct neighbour_netlink *n, int complete)
{
	n->dump_seq = 0;
	if (complete && !n->interrupted)
		n->calls.dumped(n->calls.ctx);
	else
		n->calls.lost(n->calls.ctx);
}

/* The request that was refused follows the error. */
static uint32_t asked_ext_flags(const struct nlmsghdr *asked, size_t bytes)
{
	const struct nlattr *a;

	if (bytes < sizeof(*asked) || !mnl_nlmsg_ok(asked, (int)bytes) ||
	    asked->nlmsg_type != RTM_NEWNEIGH)
		return 0;
	mnl_attr_for_each(a, asked, sizeof(struct ndmsg))
	{
		if (mnl_attr_get_type(a) == NDA_FLAGS_EXT &&
		    mnl_attr_get_payload_len(a) == sizeof(uint32_t))
			return mnl_attr_get_u32(a);
	}
	return 0;
}

static void tell_error(struct neighbour_netlink *n, const struct nlmsghdr *message)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);
	const size_t bytes = mnl_nlmsg_get_payload_len(message);

	if (bytes < sizeof(*error) || error->error == 0)
		return;
	if (n->dump_seq && message->nlmsg_seq == n->dump_seq)
		end_dump(n, 0);
	else
		n->calls.refused(
			n->calls.ctx, error->error,
			asked_ext_flags(&error->msg, bytes - offsetof(struct nlmsgerr, msg)));
}

static void tell(struct neighbour_netlink *n, const struct nlmsghdr *message)
{
	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		n->interrupted = 1;
	switch (message->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		tell_news(n, message);
		break;
	case NLMSG_DONE:
		if (n->dump_seq && message->nlmsg_seq == n->dump_seq)
			end_dump(n, 1);
		break;
	case NLMSG_ERROR:
		tell_error(n, message);
		break;
	default:
		break;
	}
}

void neighbour_netlink_read(struct neighbour_netlink *n)
{
	for (int i = 0; i < READS; i++) {
		ssize_t bytes = mnl_socket_recvfrom(n->socket, n->buffer, sizeof(n->buffer));
		const struct nlmsghdr *message = (const struct nlmsghdr *)n->buffer;
		int left = (int)bytes;

		if (bytes < 0) {
			if (errno == ENOBUFS || errno == ENOSPC)
				n->calls.lost(n->calls.ctx);
			return;
		}
		for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
			tell(n, message);
	}
}
