/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/health_target.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* @port: network order */
static struct sockaddr_storage socket_address(const struct image_ip *ip, uint16_t port)
{
	struct sockaddr_storage out = {0};

	if (image_ip_is_v4(ip->b)) {
		struct sockaddr_in *v4 = (struct sockaddr_in *)&out;

		v4->sin_family = AF_INET;
		v4->sin_port = port;
		memcpy(&v4->sin_addr, &ip->b[12], sizeof(v4->sin_addr));
	} else {
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out;

		v6->sin6_family = AF_INET6;
		v6->sin6_port = port;
		memcpy(&v6->sin6_addr, ip->b, sizeof(v6->sin6_addr));
	}
	return out;
}

void health_target_set(struct health_target *target, const struct image_endpoint *endpoint,
		       const struct image_health_check *rules)
{
	static const struct image_ip none;

	target->address =
		socket_address(&endpoint->ip, rules->port ? htons(rules->port) : endpoint->port);
	target->source = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
	if (memcmp(&rules->source, &none, sizeof(none)) != 0)
		target->source = socket_address(&rules->source, 0);
}
