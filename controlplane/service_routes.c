/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/service_routes.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "shm/limits.h"
#include "shm/why.h"

enum {
	MESSAGE_BYTES = 32768, /* the kernel's largest part of a dump */
	MAX_SAVED_BYTES = 4 << 20,
	ANSWER_S = 2,
};

/* Messages, one behind the other, as the kernel tells routes and takes them. */
struct saved {
	uint8_t *bytes;
	size_t length;
};

struct work {
	struct mnl_socket *socket;
	uint32_t seq;
	int device[MAX_INTERFACES]; /* ifindex whose routes lead into Fender */
	uint32_t device_count;
	struct saved routes;
	const struct why *why;
	uint8_t buffer[MESSAGE_BYTES] __attribute__((aligned(8)));
};

static int begin(struct work *w, const struct why *why)
{
	const struct timeval wait = {.tv_sec = ANSWER_S};

	w->why = why;
	w->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!w->socket || mnl_socket_bind(w->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return why_fail(why, -errno, "no netlink socket: %m");
	if (setsockopt(mnl_socket_get_fd(w->socket), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)))
		return why_fail(why, -errno, "no netlink socket: %m");
	return 0;
}

static void end(struct work *w)
{
	if (w->socket)
		mnl_socket_close(w->socket);
	free(w->routes.bytes);
	free(w);
}

/* Send, and hand what is answered to @take, to the end of it. Return 0, -errno. */
static int ask(struct work *w, struct nlmsghdr *message, mnl_cb_t take)
{
	int rc;

	message->nlmsg_seq = ++w->seq;
	message->nlmsg_pid = 0;
	if (mnl_socket_sendto(w->socket, message, message->nlmsg_len) < 0)
		return -errno;
	do {
		ssize_t bytes = mnl_socket_recvfrom(w->socket, w->buffer, sizeof(w->buffer));

		if (bytes < 0)
			return -errno;
		rc = mnl_cb_run(w->buffer, (size_t)bytes, w->seq, mnl_socket_get_portid(w->socket),
				take, w);
	} while (rc == MNL_CB_OK);
	return rc == MNL_CB_ERROR ? -errno : 0;
}

/* -- which devices --------------------------------------------------------------------------- */

static int is_veth(const struct nlattr *info)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, info)
	{
		if (mnl_attr_get_type(a) == IFLA_INFO_KIND &&
		    mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
			return strcmp(mnl_attr_get_str(a), "veth") == 0;
	}
	return 0;
}

static int take_link(const struct nlmsghdr *message, void *ctx)
{
	struct work *w = ctx;
	const struct nlattr *a;
	int peer = 0, elsewhere = 0, veth = 0;

	mnl_attr_for_each(a, message, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(a) == IFLA_LINK && mnl_attr_get_payload_len(a) == 4)
			peer = (int)mnl_attr_get_u32(a);
		elsewhere |= mnl_attr_get_type(a) == IFLA_LINK_NETNSID;
		if (mnl_attr_get_type(a) == IFLA_LINKINFO)
			veth = is_veth(a);
	}
	if (veth && peer > 0 && !elsewhere && w->device_count < MAX_INTERFACES)
		w->device[w->device_count++] = peer;
	return MNL_CB_OK;
}

/* The peer of @device, if it is a veth with both ends here. */
static int find_peer(struct work *w, const char *device)
{
	uint8_t buffer[MNL_NLMSG_HDRLEN + sizeof(struct ifinfomsg)] __attribute__((aligned(8)));
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *link;

	message->nlmsg_type = RTM_GETLINK;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	link = mnl_nlmsg_put_extra_header(message, sizeof(*link));
	link->ifi_index = (int)if_nametoindex(device);
	return link->ifi_index ? ask(w, message, take_link) : 0;
}

static int find_devices(struct work *w, const struct image_header *policy)
{
	const struct image_interface *i = IMAGE_ARRAY(policy, struct image_interface, interfaces);

	for (uint32_t n = 0; n < policy->interfaces.count; n++) {
		int rc;

		if (i[n].kind != DEVICE_AF_XDP || i[n].shared)
			continue;
		rc = find_peer(w, image_string(policy, i[n].device));
		if (rc) {
			errno = -rc;
			return why_fail(w->why, rc, "the device %.40s is not told: %m",
					image_string(policy, i[n].device));
		}
	}
	return 0;
}

/* -- which routes ---------------------------------------------------------------------------- */

static int leads_into_us(const struct work *w, const struct nlmsghdr *message)
{
	const struct nlattr *a;
	uint32_t out = 0;

	mnl_attr_for_each(a, message, sizeof(struct rtmsg))
	{
		if (mnl_attr_get_type(a) == RTA_OIF && mnl_attr_get_payload_len(a) == 4)
			out = mnl_attr_get_u32(a);
	}
	for (uint32_t i = 0; i < w->device_count; i++)
		if (out == (uint32_t)w->device[i])
			return 1;
	return 0;
}

static int take_route(const struct nlmsghdr *message, void *ctx)
{
	struct work *w = ctx;
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	const size_t bytes = MNL_ALIGN(message->nlmsg_len);
	struct nlmsghdr *copy;
	struct rtmsg *kept;
	uint8_t *grown;

	if (message->nlmsg_type != RTM_NEWROUTE || route->rtm_type != RTN_UNICAST ||
	    route->rtm_protocol == RTPROT_KERNEL || (route->rtm_flags & RTM_F_CLONED) ||
	    !leads_into_us(w, message) || w->routes.length + bytes > MAX_SAVED_BYTES)
		return MNL_CB_OK;
	grown = realloc(w->routes.bytes, w->routes.length + bytes);
	if (!grown)
		return MNL_CB_ERROR;
	copy = (struct nlmsghdr *)(grown + w->routes.length);
	memset(copy, 0, bytes);
	memcpy(copy, message, message->nlmsg_len);
	kept = mnl_nlmsg_get_payload(copy);
	kept->rtm_flags &= RTNH_F_ONLINK | RTNH_F_PERVASIVE; /* the others are told, not taken */
	w->routes.bytes = grown;
	w->routes.length += bytes;
	return MNL_CB_OK;
}

static int find_routes(struct work *w)
{
	uint8_t buffer[MNL_NLMSG_HDRLEN + sizeof(struct rtmsg)] __attribute__((aligned(8)));
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	int rc;

	message->nlmsg_type = RTM_GETROUTE;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(message, sizeof(struct rtmsg));
	rc = ask(w, message, take_route);
	errno = -rc;
	return rc ? why_fail(w->why, rc, "the routes are not told: %m") : 0;
}

/* Ask the kernel to do @type to every route; @fine is no failure. Return: how many, -errno. */
static int for_each_route(struct work *w, uint16_t type, uint16_t flags, int fine)
{
	int left = (int)w->routes.length, done = 0, error = 0;
	struct nlmsghdr *route = (struct nlmsghdr *)w->routes.bytes;

	while (w->routes.length && mnl_nlmsg_ok(route, left)) {
		int rc;

		route->nlmsg_type = type;
		route->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
		rc = ask(w, route, NULL);
		if (rc == 0)
			done++;
		else if (rc != fine)
			error = rc;
		route = mnl_nlmsg_next(route, &left);
	}
	errno = -error;
	return error ? why_fail(w->why, error, "the kernel refuses a route: %m") : done;
}

/* -- the file -------------------------------------------------------------------------------- */

static int save(const struct work *w, const char *path)
{
	/* Appended: what was saved before and not restored is removed already, told no more. */
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	ssize_t written;

	if (fd < 0)
		return why_fail(w->why, -errno, "cannot create %.80s: %m", path);
	written = write(fd, w->routes.bytes, w->routes.length);
	close(fd);
	if (written != (ssize_t)w->routes.length)
		return why_fail(w->why, -ENOSPC, "cannot write %.80s", path);
	return 0;
}

static int load(struct work *w, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return why_fail(w->why, -errno, "cannot open %.80s: %m", path);
	if (fstat(fd, &st) || st.st_size > MAX_SAVED_BYTES)
		rc = -EFBIG;
	w->routes.bytes = rc ? NULL : malloc((size_t)st.st_size + 1);
	if (!rc && !w->routes.bytes)
		rc = -ENOMEM;
	if (!rc && read(fd, w->routes.bytes, (size_t)st.st_size) != st.st_size)
		rc = -EIO;
	close(fd);
	if (rc)
		return why_fail(w->why, rc, "cannot read %.80s", path);
	w->routes.length = (size_t)st.st_size;
	return 0;
}

int service_routes_withdraw(const struct image_header *policy, const char *path, char *why_text,
			    size_t why_size)
{
	const struct why why = {why_text, why_size};
	struct work *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return why_fail(&why, -ENOMEM, "no memory");
	rc = begin(w, &why);
	if (rc == 0)
		rc = find_devices(w, policy);
	if (rc == 0 && w->device_count)
		rc = find_routes(w);
	if (rc == 0 && w->routes.length)
		rc = save(w, path);
	if (rc == 0)
		rc = for_each_route(w, RTM_DELROUTE, 0, -ESRCH);
	end(w);
	return rc;
}

int service_routes_restore(const char *path, char *why_text, size_t why_size)
{
	const struct why why = {why_text, why_size};
	struct work *w;
	int rc;

	if (access(path, F_OK))
		return 0;
	w = calloc(1, sizeof(*w));
	if (!w)
		return why_fail(&why, -ENOMEM, "no memory");
	rc = load(w, path);
	if (rc == 0)
		rc = begin(w, &why);
	if (rc == 0)
		rc = for_each_route(w, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, -EEXIST);
	end(w);
	if (rc >= 0)
		unlink(path);
	return rc;
}
