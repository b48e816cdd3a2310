/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/resolve_lookup.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/resolve.h"

struct resolve_lookup {
	ares_channel channel;
	int family;
	uint32_t waiting; /* questions without an answer */
	int status;       /* of the first question that failed */
	struct resolve_set set;
	resolve_done *done; /* NULL: abandoned */
	void *ctx;
};

/* What the addresses of one target become. */
struct target {
	struct resolve_lookup *lookup;
	uint16_t port; /* network order */
	uint16_t weight;
	uint16_t priority;
	int is_service;
};

static void fail(struct resolve_lookup *lookup, int status)
{
	if (lookup->status == ARES_SUCCESS)
		lookup->status = status;
}

/* One question is answered. */
static void end(struct resolve_lookup *lookup)
{
	if (--lookup->waiting > 0)
		return;
	resolve_set_finish(&lookup->set);
	if (lookup->status == ARES_SUCCESS && lookup->set.count == 0)
		lookup->status = ARES_ENODATA;
	if (lookup->status != ARES_SUCCESS)
		resolve_set_free(&lookup->set);
	if (lookup->done)
		lookup->done(lookup->ctx, lookup->status, &lookup->set);
	else
		resolve_set_free(&lookup->set);
	free(lookup);
}

static void add(const struct target *target, const struct sockaddr *address)
{
	struct resolved_endpoint e = {
		.address = {.port = target->port},
		.weight = target->weight,
		.priority = target->priority,
	};

	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)address;

		e.address.family = FAMILY_V4;
		e.address.ip = image_ip_v4(v4->sin_addr.s_addr);
	} else if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)address;

		e.address.family = FAMILY_V6;
		memcpy(&e.address.ip, &v6->sin6_addr, sizeof(e.address.ip));
	} else {
		return;
	}
	if (resolve_set_add(&target->lookup->set, &e) != 0)
		fail(target->lookup, ARES_ENOMEM);
}

static void on_addresses(void *arg, int status, int timeouts, struct ares_addrinfo *answer)
{
	struct target *target = arg;
	struct resolve_lookup *lookup = target->lookup;
	int absent = status == ARES_ENOTFOUND || status == ARES_ENODATA;

	if (status == ARES_SUCCESS)
		for (const struct ares_addrinfo_node *n = answer->nodes; n; n = n->ai_next)
			add(target, n->ai_addr);
	else if (!target->is_service || !absent)
		fail(lookup, status);
	if (answer)
		ares_freeaddrinfo(answer);
	free(target);
	end(lookup);
}

static void ask_addresses(struct resolve_lookup *lookup, const char *name,
			  const struct target *wanted)
{
	/* In the order of the answer: it is sorted here, without trying routes. */
	const struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NOSORT,
		.ai_family = lookup->family,
	};
	struct target *target = malloc(sizeof(*target));

	if (!target) {
		fail(lookup, ARES_ENOMEM);
		return;
	}
	*target = *wanted;
	lookup->waiting++;
	ares_getaddrinfo(lookup->channel, name, NULL, &hints, on_addresses, target);
}

static size_t services_of(struct ares_srv_reply *answer, struct resolve_service **out)
{
	size_t count = 0, used = 0;

	for (struct ares_srv_reply *a = answer; a; a = a->next)
		count++;
	*out = calloc(count + 1, sizeof(**out));
	for (struct ares_srv_reply *a = answer; *out && a; a = a->next) {
		/* A target of "." says that there is no such service. */
		if (a->host[0] && strcmp(a->host, ".") != 0 && a->port != 0)
			(*out)[used++] =
				(struct resolve_service){a->host, a->port, a->priority, a->weight};
	}
	resolve_services_rank(*out, used);
	return used < RESOLVE_MAX_SERVICES ? used : RESOLVE_MAX_SERVICES;
}

static void ask_targets(struct resolve_lookup *lookup, struct ares_srv_reply *answer)
{
	struct resolve_service *services;
	size_t count = services_of(answer, &services);

	if (!services)
		fail(lookup, ARES_ENOMEM);
	for (size_t i = 0; i < count; i++) {
		char name[NI_MAXHOST + 1];
		const struct target target = {
			.lookup = lookup,
			.port = htons(services[i].port),
			.weight = services[i].weight,
			.priority = services[i].priority,
			.is_service = 1,
		};

		/* A whole name, whatever domains this machine searches. */
		snprintf(name, sizeof(name), "%s.", services[i].target);
		ask_addresses(lookup, name, &target);
	}
	free(services);
}

static void on_services(void *arg, int status, int timeouts, unsigned char *bytes, int length)
{
	struct resolve_lookup *lookup = arg;
	struct ares_srv_reply *answer = NULL;

	if (status == ARES_SUCCESS)
		status = ares_parse_srv_reply(bytes, length, &answer);
	if (status != ARES_SUCCESS)
		fail(lookup, status);
	else if (lookup->done)
		ask_targets(lookup, answer);
	if (answer)
		ares_free_data(answer);
	end(lookup);
}

int resolve_lookup_start(struct resolve_lookup **out, ares_channel channel,
			 const struct resolve_question *question, resolve_done *done, void *ctx)
{
	struct resolve_lookup *lookup = calloc(1, sizeof(*lookup));

	if (!lookup)
		return -ENOMEM;
	*out = lookup;
	lookup->channel = channel;
	lookup->family = question->family;
	lookup->done = done;
	lookup->ctx = ctx;
	lookup->waiting = 1;
	if (question->port == 0) {
		ares_search(channel, question->name, C_IN, T_SRV, on_services, lookup);
	} else {
		const struct target target = {
			.lookup = lookup, .port = htons(question->port), .weight = 1};

		ask_addresses(lookup, question->name, &target);
		end(lookup);
	}
	return 0;
}

void resolve_lookup_abandon(struct resolve_lookup *lookup)
{
	lookup->done = NULL;
}
