/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers with units, names, port ranges and devices as written in a policy. Every reader
 * returns NULL, or what it expected instead, to be put after "expected ".
 */
#ifndef FENDER_CONFIG_VALUES_H
#define FENDER_CONFIG_VALUES_H

#include <stddef.h>
#include <stdint.h>

enum value_bounds {
	VALUE_TEXT_BYTES = 32,  /* of a formatted number */
	VALUE_DEVICE_BYTES = 96 /* of the name that two interfaces may not share */
};

/* 300; no sign, no leading zero. */
const char *value_integer(const char *text, uint64_t *out);

/* An integer, or with k, M, G (powers of 1,000) or Ki, Mi, Gi: 10k, 2.5M, 16Ki. */
const char *value_count(const char *text, uint64_t *out);

/* Bytes: B, KiB, MiB, GiB. */
const char *value_size(const char *text, uint64_t *out);

/* Nanoseconds: ns, us, ms, s, m, h, d; 0 needs no unit. */
const char *value_duration(const char *text, uint64_t *out_ns);

/* 50%, 12.5%, in hundredths of a percent; 0 needs no unit. */
const char *value_percent(const char *text, uint64_t *out);

/* 2, 1.5, in hundredths. */
const char *value_factor(const char *text, uint64_t *out);

/* What a breaker looks back on: so many calls, or so long. One of the two is 0. */
struct value_window {
	uint64_t calls;
	uint64_t ms;
};

/* 100, 100 calls, or a duration. A duration finer than milliseconds is refused. */
const char *value_window(const char *text, struct value_window *out);

/* How much a limit lets pass at once: so many units or bytes, or what its rate makes in so long. */
enum value_burst_unit { BURST_NONE = 0, BURST_UNITS, BURST_BYTES, BURST_SECONDS };
struct value_burst {
	uint64_t value; /* BURST_SECONDS: in hundredths of a second */
	uint32_t unit;  /* enum value_burst_unit; BURST_NONE: not given */
};

/* 50, 10k; 64KiB; 2x, 0.5x: so many seconds' worth. Never 0. */
const char *value_burst(const char *text, struct value_burst *out);

/* The shortest exact text in one unit: 1m, 1500ms. @out: VALUE_TEXT_BYTES. */
const char *value_print_duration(uint64_t ns, char *out);
const char *value_print_size(uint64_t bytes, char *out);
/* Hundredths with as many decimals as it takes: 12.5, then @unit. */
const char *value_print_hundredths(uint64_t value, const char *unit, char *out);

/* 1 to 63 of A-Z a-z 0-9 _ . -, first a letter, digit or _: safe as a file name. */
const char *value_name(const char *text);

struct value_port_range {
	uint16_t low; /* host order, inclusive */
	uint16_t high;
};

/* low-high, low <= high; a single port is a range of one. */
const char *value_port_range(const char *text, struct value_port_range *out);

struct value_device {
	uint8_t kind; /* enum image_device */
	/* what follows "af_xdp:", "pci:" (as domain:bus:device.function) or "vdev:" */
	char name[256];
	char identity[VALUE_DEVICE_BYTES]; /* equal for two texts that mean one device */
};

const char *value_device(const char *text, struct value_device *out);

#endif
