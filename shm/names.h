/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and the keys that find their state. The policy compiler writes keys into the image,
 * the registry is keyed by them, image_check() recomputes them: all through these functions.
 */
#ifndef FENDER_SHM_NAMES_H
#define FENDER_SHM_NAMES_H

#include <stdint.h>

#include "shm/image.h"

enum {
	/* "[" 39 characters of an IPv6 address "]:65535" NUL */
	ENDPOINT_NAME_BYTES = 48,
	/* cluster name, "/", endpoint name, NUL */
	STATE_NAME_BYTES = NAME_BYTES + ENDPOINT_NAME_BYTES,
};

/* Key of a listener, cluster or "<cluster>/<ip>:<port>": xxh64, never 0 or 1. */
uint64_t name_key(const char *name);

/**
 * endpoint_name() - "10.0.0.1:80" or "[2001:db8::1]:80", the one way to write it
 * @port: network order
 * @out: ENDPOINT_NAME_BYTES
 */
void endpoint_name(const struct image_ip *ip, uint8_t family, uint16_t port, char *out);

/**
 * endpoint_state_name() - "<cluster>/<endpoint>", the name an endpoint's state is kept under
 * @endpoint: as endpoint_name() writes it
 * @out: STATE_NAME_BYTES
 */
void endpoint_state_name(const char *cluster, const char *endpoint, char *out);

/* name_key() of endpoint_state_name(). */
uint64_t endpoint_key(const char *cluster, const char *endpoint);

#endif
