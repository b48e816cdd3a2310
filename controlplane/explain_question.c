/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/explain_question.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/why.h"

enum { ADDRESS_BYTES = INET6_ADDRSTRLEN + sizeof("[]:65535") };

struct address {
	struct image_ip ip;
	uint16_t port; /* network order; 0: none was given */
	uint8_t family;
};

static int parse_ip(const char *text, struct address *out)
{
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		out->ip = image_ip_v4(v4.s_addr);
		out->family = FAMILY_V4;
		return 0;
	}
	out->family = FAMILY_V6;
	return inet_pton(AF_INET6, text, out->ip.b) == 1 ? 0 : -EINVAL;
}

static int parse_port(const char *text, uint16_t *port)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value == 0 || value > UINT16_MAX)
		return -EINVAL;
	*port = htons((uint16_t)value);
	return 0;
}

/* "10.0.0.1", "10.0.0.1:80", "2001:db8::1", "[2001:db8::1]:80" */
static int parse_address(const char *text, struct address *out)
{
	char copy[ADDRESS_BYTES];
	char *colon, *ip = copy;

	memset(out, 0, sizeof(*out));
	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text);
	if (parse_ip(copy, out) == 0)
		return 0;
	colon = strrchr(copy, ':');
	if (!colon || parse_port(colon + 1, &out->port) != 0)
		return -EINVAL;
	*colon = '\0';
	if (*ip == '[' && colon > ip + 1 && colon[-1] == ']') {
		colon[-1] = '\0';
		return parse_ip(ip + 1, out) == 0 && out->family == FAMILY_V6 ? 0 : -EINVAL;
	}
	return parse_ip(ip, out) == 0 && out->family == FAMILY_V4 ? 0 : -EINVAL;
}

static int find_interface(struct explain_question *q, const char *name, const struct why *why)
{
	const struct image_interface *i = IMAGE_ARRAY(q->image, struct image_interface, interfaces);

	for (uint32_t n = 0; n < q->image->interfaces.count; n++)
		if (strcmp(image_string(q->image, i[n].name), name) == 0) {
			q->interface = (uint8_t)n;
			return 0;
		}
	return why_fail(why, -ENOENT, "no interface '%.63s'", name);
}

static int find_cluster(struct explain_question *q, const char *name, const struct why *why)
{
	const struct image_cluster *c = IMAGE_ARRAY(q->image, struct image_cluster, clusters);

	for (uint32_t n = 0; n < q->image->clusters.count; n++)
		if (strcmp(image_string(q->image, c[n].name), name) == 0) {
			q->cluster = n;
			return 0;
		}
	return why_fail(why, -ENOENT, "no cluster '%.63s'", name);
}

static int take_key(struct explain_question *q, const struct explain_words *w,
		    const struct why *why)
{
	struct address client;
	int rc = find_cluster(q, w->cluster, why);

	if (rc != 0)
		return rc;
	if (parse_address(w->key, &client) != 0)
		return why_fail(why, -EINVAL, "the key must be ip, ip:port or [ip]:port");
	q->client = client.ip;
	q->client_port = client.port;
	q->family = client.family;
	return 0;
}

static int take_packet(struct explain_question *q, const struct explain_words *w,
		       const struct why *why)
{
	struct address client, destination;

	if (parse_address(w->client, &client) != 0 || !client.port)
		return why_fail(why, -EINVAL, "the client must be ip:port or [ip]:port");
	if (parse_address(w->destination, &destination) != 0 || !destination.port)
		return why_fail(why, -EINVAL, "the destination must be ip:port or [ip]:port");
	if (client.family != destination.family)
		return why_fail(why, -EINVAL, "one address is IPv4, the other IPv6");
	q->client = client.ip;
	q->client_port = client.port;
	q->destination = destination.ip;
	q->destination_port = destination.port;
	q->family = client.family;
	return w->interface ? find_interface(q, w->interface, why) : 0;
}

int explain_question_make(struct explain_question *q, const struct explain_words *words,
			  int *any_interface, char *why_text, size_t why_size)
{
	const struct why why = {why_text, why_size};

	q->cluster = EXPLAIN_NONE;
	q->interface = 0;
	q->proto = PROTO_TCP;
	*any_interface = !words->interface;
	if (words->protocol && strcmp(words->protocol, "udp") == 0)
		q->proto = PROTO_UDP;
	else if (words->protocol && strcmp(words->protocol, "tcp") != 0)
		return why_fail(&why, -EINVAL, "the protocol must be tcp or udp");
	if (words->cluster && words->key && !words->client && !words->destination)
		return take_key(q, words, &why);
	if (words->protocol && words->client && words->destination && !words->cluster &&
	    !words->key)
		return take_packet(q, words, &why);
	return why_fail(&why, -EINVAL,
			"give either protocol, client and destination, or cluster and key");
}
