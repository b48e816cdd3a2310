/* SPDX-License-Identifier: Apache-2.0 */
/* A reader of protobuf, as strict as the format. */
#ifndef FENDER_TESTS_UNIT_CONTROLPLANE_PROTOBUF_READER_H
#define FENDER_TESTS_UNIT_CONTROLPLANE_PROTOBUF_READER_H

#include <stdint.h>
#include <string.h>

#include "tests/unit/dataplane/suite.h"

struct cursor {
	const unsigned char *at, *end;
};

static inline uint64_t varint(struct cursor *c)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		if (c->at == c->end)
			break;
		value |= (uint64_t)(*c->at & 0x7f) << shift;
		if (!(*c->at++ & 0x80))
			return value;
	}
	CU_FAIL_FATAL("a varint ends");
	return 0;
}

static inline int64_t signed_varint(struct cursor *c)
{
	uint64_t value = varint(c);

	return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static inline struct cursor bytes(struct cursor *c)
{
	uint64_t n = varint(c);
	struct cursor inner = {c->at, c->at + n};

	CU_ASSERT_FATAL(n <= (uint64_t)(c->end - c->at));
	c->at += n;
	return inner;
}

static inline double eight(struct cursor *c)
{
	double value;

	CU_ASSERT_FATAL(c->end - c->at >= 8);
	memcpy(&value, c->at, 8);
	c->at += 8;
	return value;
}

#endif
