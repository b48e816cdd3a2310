/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image's limits and the limiter's rules have the same bounds, which stand in shm/limits.h and
 * in ebpf/limit_rule.h: what image_check() lets pass becomes a rule, what it refuses does not.
 */
#include "ebpf/limit_rule.h"
#include "ebpf/maps.h"
#include "shm/image_check.h"
#include "tests/unit/config/policy_text.h"

#define SAME(image, limiter) \
	_Static_assert((int)(image) == (int)(limiter), "numbers of ebpf/limit.h")
SAME(IMAGE_LIMIT_NONE, LIMIT_NONE);
SAME(IMAGE_LIMIT_TOKEN_BUCKET, LIMIT_TOKEN_BUCKET);
SAME(IMAGE_LIMIT_LEAKY_BUCKET, LIMIT_LEAKY_BUCKET);
SAME(IMAGE_LIMIT_FIXED_WINDOW, LIMIT_FIXED_WINDOW);
SAME(IMAGE_LIMIT_SLIDING_WINDOW, LIMIT_SLIDING_WINDOW);
SAME(IMAGE_LIMIT_DROP, LIMIT_DROP);
SAME(IMAGE_LIMIT_MARK, LIMIT_MARK);
SAME(IMAGE_LIMIT_OBSERVE, LIMIT_OBSERVE);

/* Within the image's forms: window_ms of 0 is not the limiter's default there. */
static int image_takes(const struct image_limit *limit)
{
	const struct image_listener l = {
		.proto = PROTO_TCP,
		.rate_limit = {.packets = *limit, .directions = IMAGE_LIMIT_TO_ENDPOINT},
	};

	return image_rate_limit_ok(&l);
}

static int limiter_takes(const struct image_limit *limit)
{
	const struct limit_spec spec = {
		.algorithm = limit->algorithm,
		.rate_per_second = limit->rate,
		.burst = limit->burst,
		.window_ns = limit->window_ms * 1000000ull,
	};
	struct limit_rule rule;

	return limit_rule_make(&rule, &spec) == 0;
}

static uint32_t taken, refused;

static void compare(const struct image_limit *limit)
{
	int image = image_takes(limit), limiter = limiter_takes(limit);

	if (image)
		taken++;
	else
		refused++;
	if (image != limiter)
		fprintf(stderr, "\nalgorithm %u, rate %llu, burst %llu, window %u ms: %d, %d\n",
			limit->algorithm, (unsigned long long)limit->rate,
			(unsigned long long)limit->burst, limit->window_ms, image, limiter);
	CU_ASSERT_EQUAL(image, limiter);
}

static void bounds_agree(void)
{
	static const uint64_t numbers[] = {
		0,
		1,
		2,
		9,
		10,
		11,
		86399,
		86400,
		86401,
		MAX_LIMIT_COUNT / 3600,
		MAX_LIMIT_COUNT / 3600 + 1,
		MAX_LIMIT_COUNT - 1,
		MAX_LIMIT_COUNT,
		MAX_LIMIT_COUNT + 1,
		MAX_LIMIT_COUNT * 10,
		MAX_LIMIT_COUNT * 10 + 9,
		MAX_LIMIT_COUNT * 10 + 10,
		MAX_LIMIT_RATE - 1,
		MAX_LIMIT_RATE,
		MAX_LIMIT_RATE + 1,
		MAX_LIMIT_BURST - 1,
		MAX_LIMIT_BURST,
		MAX_LIMIT_BURST + 1,
		UINT64_MAX,
	};
	static const uint32_t windows[] = {1,    99,   100,     101,     999,
					   1000, 1001, 3599999, 3600000, 3600001};
	const size_t count = sizeof(numbers) / sizeof(numbers[0]);

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < count; k++) {
			compare(&(struct image_limit){.algorithm = IMAGE_LIMIT_TOKEN_BUCKET,
						      .rate = numbers[i],
						      .burst = numbers[k]});
			compare(&(struct image_limit){.algorithm = IMAGE_LIMIT_LEAKY_BUCKET,
						      .rate = numbers[i],
						      .burst = numbers[k]});
		}
		for (size_t k = 0; k < sizeof(windows) / sizeof(windows[0]); k++) {
			compare(&(struct image_limit){.algorithm = IMAGE_LIMIT_FIXED_WINDOW,
						      .rate = numbers[i],
						      .window_ms = windows[k]});
			compare(&(struct image_limit){.algorithm = IMAGE_LIMIT_SLIDING_WINDOW,
						      .rate = numbers[i],
						      .window_ms = windows[k]});
		}
	}
}

/* Any number of bits, so that all sizes come as often. */
static uint64_t draw(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x * 0x9e3779b97f4a7c15ull >> (x >> 58);
}

static void random_limits_agree(void)
{
	uint64_t state = 1;

	taken = refused = 0;
	for (int i = 0; i < 100000; i++) {
		struct image_limit limit = {
			.algorithm = (uint8_t)(1 + draw(&state) % 5),
			.rate = draw(&state),
		};

		if (limit.algorithm < IMAGE_LIMIT_FIXED_WINDOW)
			limit.burst = draw(&state);
		else
			limit.window_ms = 1 + (uint32_t)draw(&state) % (2 * MAX_LIMIT_WINDOW_MS);
		compare(&limit);
	}
	CU_ASSERT(taken > 10000);
	CU_ASSERT(refused > 10000);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"bounds", bounds_agree},
		{"random", random_limits_agree},
		CU_TEST_INFO_NULL,
	};

	return run_suite("limits of image and limiter", tests);
}
