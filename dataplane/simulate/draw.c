/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/simulate/draw.h"

#include <math.h>

/* The 99th percentile of the standard normal distribution. */
static const double normal_p99 = 2.3263478740408408;

/* splitmix64: neighbouring seeds give unrelated numbers. */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

struct random draw_stream(uint64_t seed, uint64_t stream)
{
	uint64_t state = mix(mix(seed) + stream);

	return (struct random){.state = state != 0 ? state : 1};
}

double draw_unit(struct random *random)
{
	return ((double)(random_next(random) >> 11) + 0.5) * 0x1p-53;
}

/* Box and Muller's; its second number is not kept. */
static double draw_normal(struct random *random)
{
	double radius = sqrt(-2 * log(draw_unit(random)));

	return radius * cos(2 * M_PI * draw_unit(random));
}

static double draw_lognormal(struct random *random, double median, double p99)
{
	double sigma = median > 0 && p99 > median ? log(p99 / median) / normal_p99 : 0;

	return median * exp(sigma * draw_normal(random));
}

uint64_t draw_time(struct random *random, const struct sim_times *times)
{
	double a = (double)times->a_ns, b = (double)times->b_ns;
	double ns;

	switch (times->shape) {
	case SIM_UNIFORM:
		ns = b > a ? a + (b - a) * draw_unit(random) : a;
		break;
	case SIM_EXPONENTIAL:
		ns = -a * log(draw_unit(random));
		break;
	case SIM_LOGNORMAL:
		ns = draw_lognormal(random, a, b);
		break;
	default: /* SIM_FIXED */
		ns = a;
		break;
	}
	return ns < (double)DRAW_MAX_NS ? (uint64_t)ns : DRAW_MAX_NS;
}
