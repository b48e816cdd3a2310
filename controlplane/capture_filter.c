/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/capture_stream.h"
#include "shm/names.h"
#include "shm/registry.h"
#include "shm/why.h"

static int take_host(struct capture_filter *f, const char *text, const struct why *why)
{
	struct in_addr v4;

	f->flags |= CAPTURE_HOST;
	if (inet_pton(AF_INET, text, &v4) == 1)
		f->host = image_ip_v4(v4.s_addr);
	else if (inet_pton(AF_INET6, text, f->host.b) != 1)
		return why_fail(why, -EINVAL, "'host' must be an IP address");
	return 0;
}

static int take_port(struct capture_filter *f, const char *text, const struct why *why)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	f->flags |= CAPTURE_PORT;
	if (*text < '0' || *text > '9' || *end || port == 0 || port > UINT16_MAX)
		return why_fail(why, -EINVAL, "'port' must be 1 to 65535");
	f->port = htons((uint16_t)port);
	return 0;
}

static int take_protocol(struct capture_filter *f, const char *text, const struct why *why)
{
	f->flags |= CAPTURE_PROTO;
	f->proto = strcmp(text, "udp") == 0 ? PROTO_UDP : PROTO_TCP;
	if (f->proto == PROTO_TCP && strcmp(text, "tcp") != 0)
		return why_fail(why, -EINVAL, "'protocol' must be tcp or udp");
	return 0;
}

static int take_interface(struct capture_filter *f, const char *name,
			  const struct image_header *image, const struct why *why)
{
	const struct image_interface *i = IMAGE_ARRAY(image, struct image_interface, interfaces);

	f->flags |= CAPTURE_INTERFACE;
	for (uint32_t n = 0; n < image->interfaces.count; n++)
		if (strcmp(image_string(image, i[n].name), name) == 0) {
			f->interface = (uint8_t)n;
			return 0;
		}
	return why_fail(why, -ENOENT, "no interface '%.63s'", name);
}

static int take_listener(struct capture_filter *f, const char *name, const struct region *region,
			 const struct why *why)
{
	uint32_t slot = registry_find(region->listener_registry, region->shape.listener_slots,
				      name_key(name));

	f->flags |= CAPTURE_LISTENER;
	f->listener = (uint16_t)slot;
	return slot < region->shape.listener_slots
		       ? 0
		       : why_fail(why, -ENOENT, "no listener '%.63s'", name);
}

static int take_reason(struct capture_filter *f, const char *name, const struct why *why)
{
	f->flags |= CAPTURE_REASON | CAPTURE_DROPPED;
	for (unsigned int i = 1; i < REASON_COUNT; i++)
		if (strcmp(reason_name(i), name) == 0) {
			f->reason = (uint16_t)i;
			return 0;
		}
	return why_fail(why, -EINVAL, "there is no reason '%.63s'", name);
}

int capture_filter_make(struct capture_filter *filter, const struct capture_words *words,
			const struct region *region, const struct image_header *image,
			char *why_text, size_t why_size)
{
	const struct why why = {why_text, why_size};
	int rc = 0;

	memset(filter, 0, sizeof(*filter));
	if (words->dropped && strcmp(words->dropped, "1") == 0)
		filter->flags |= CAPTURE_DROPPED;
	else if (words->dropped)
		rc = why_fail(&why, -EINVAL, "'dropped' must be 1");
	if (rc == 0 && words->host)
		rc = take_host(filter, words->host, &why);
	if (rc == 0 && words->port)
		rc = take_port(filter, words->port, &why);
	if (rc == 0 && words->protocol)
		rc = take_protocol(filter, words->protocol, &why);
	if (rc == 0 && words->interface)
		rc = take_interface(filter, words->interface, image, &why);
	if (rc == 0 && words->listener)
		rc = take_listener(filter, words->listener, region, &why);
	if (rc == 0 && words->reason)
		rc = take_reason(filter, words->reason, &why);
	return rc;
}
