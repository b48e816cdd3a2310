/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and paths that leave Fender: of files, hosts, domains and HTTP resources. Every reader
 * returns NULL, or what it expected instead, to be put after "expected ".
 */
#ifndef FENDER_CONFIG_VALUE_WORDS_H
#define FENDER_CONFIG_VALUE_WORDS_H

#include <stdint.h>

enum value_word_bounds {
	VALUE_PATH_BYTES = 256, /* of a path of either kind; NUL included, as in the next */
	VALUE_DOMAIN_BYTES = 254,
};

/* Of a file: 1 to 255 bytes, none of them a control character. */
const char *value_file(const char *text);

/* Of an HTTP request: begins with a slash, visible ASCII without '#', up to 255 bytes. */
const char *value_url_path(const char *text);

/* A Host header: domain name, IPv4 or [IPv6], with a port or without. */
const char *value_host(const char *text);

struct value_dns {
	char name[VALUE_DOMAIN_BYTES]; /* no dot at its end */
	uint16_t port;                 /* 0: none given */
};

/* A domain name, with a port or without. Not an address: an endpoint is written as such. */
const char *value_dns(const char *text, struct value_dns *out);

#endif
