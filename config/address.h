/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IP addresses, prefixes, addresses with ports and MACs as written in a policy. Every reader
 * returns NULL, or what it expected instead, to be put after "expected ".
 */
#ifndef FENDER_CONFIG_ADDRESS_H
#define FENDER_CONFIG_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/image.h"

struct address {
	struct image_ip ip; /* IPv4 is v4-mapped */
	uint8_t family;     /* enum image_family; 0: none */
	uint8_t prefix;     /* bits, in terms of the family */
	uint16_t port;      /* network order */
};

enum { ADDRESS_TEXT_BYTES = 56 };

/* One host: neither unspecified, loopback, multicast, broadcast nor v4-mapped IPv6. */
const char *address_host(const char *text, struct address *out);

/* A host and its network: 10.0.0.1/24. Not the network's own or its broadcast address. */
const char *address_interface(const char *text, struct address *out);

/* A network: 10.0.0.0/8, ::/0. Bits beyond the prefix are zero. */
const char *address_network(const char *text, struct address *out);

/* A host and a port: 10.0.0.1:80, [2001:db8::1]:80. */
const char *address_endpoint(const char *text, struct address *out);

/* The same, or 0.0.0.0 and [::] for every address of the interface. */
const char *address_bind(const char *text, struct address *out);

/* 02:00:00:00:00:01; one station, not a group. */
const char *address_mac(const char *text, uint8_t out[6]);

bool address_is_wildcard(const struct address *a);
bool address_is_link_local(const struct address *a); /* IPv6 fe80::/10 */
bool address_same_ip(const struct address *a, const struct address *b);

/* Does the network of @net (its prefix counts) hold @a? Families must agree. */
bool address_within(const struct address *net, const struct address *a);

/* Is @a the network's own (IPv4) or its broadcast address, which no host may have? */
bool address_is_reserved(const struct address *net, const struct address *a);

/* @a with the bits beyond its prefix cleared. */
struct address address_masked(const struct address *a);

/* "10.0.0.1", "2001:db8::1"; @out: ADDRESS_TEXT_BYTES. */
const char *address_print(const struct address *a, char *out);
/* "10.0.0.0/8" */
const char *address_print_prefix(const struct address *a, char *out);
/* "10.0.0.1:80", "[2001:db8::1]:80" */
const char *address_print_port(const struct address *a, char *out);

#endif
