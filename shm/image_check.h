/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of image_check(), in the order they run; private to shm/. */
#ifndef FENDER_SHM_IMAGE_CHECK_H
#define FENDER_SHM_IMAGE_CHECK_H

#include "shm/image.h"
#include "shm/why.h"

/* Checksum and hash as they should stand in the header; @img has img->length readable bytes. */
uint32_t image_crc32c(const struct image_header *img);
uint64_t image_content_hash(const struct image_header *img);

/* Place, size and padding of every array and string bounds: all below rely on it. */
int image_check_spans(const struct image_header *img, const struct why *why);
/* sidecar, interfaces, addresses, routes, neighbours */
int image_check_network(const struct image_header *img, const struct why *why);
/* listeners, clusters, endpoints; relies on image_check_network() */
int image_check_listeners(const struct image_header *img, const struct why *why);
int image_check_clusters(const struct image_header *img, const struct why *why);
int image_check_endpoints(const struct image_header *img, const struct why *why);

/* Called by image_check_clusters(): the policy blocks of cluster @n; all tables and points. */
int image_check_blocks(const struct image_header *img, uint32_t n, const struct why *why);
int image_check_tables(const struct image_header *img, const struct why *why);
int image_listener_bulkhead_ok(const struct image_bulkhead *b);
int image_rate_limit_ok(const struct image_listener *l);
int image_check_guard(const struct image_header *img, const struct why *why);

/* True when @off names a string of 1 to @limit - 1 bytes without control characters. */
int image_name_ok(const struct image_header *img, uint32_t off, uint32_t limit);

/* True when @off names a string of 0 to @limit - 1 bytes without control characters. */
int image_text_ok(const struct image_header *img, uint32_t off, uint32_t limit);

/* True when the address is written as its family is, v4-mapped or not. */
int image_ip_ok(const struct image_ip *ip, uint8_t family);
/* All zero, or the v4-mapped zero. */
int image_ip_unspecified(const struct image_ip *ip, uint8_t family);

#endif
