/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs of the bench's section `limits` share: rows of rounds, clocks, CPUs. */
#ifndef FENDER_TESTS_BENCH_LIMITS_ROWS_H
#define FENDER_TESTS_BENCH_LIMITS_ROWS_H

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LIMITS_ROUNDS_MAX = 101, LIMITS_CPUS = 2 };

/* CPU time of this thread: what else runs on the machine is not in it. */
static inline uint64_t limits_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t limits_wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* "<field>": [ ... ] */
static inline void limits_print_values(const char *field, const double *values, int rounds)
{
	printf(", \"%s\": [", field);
	for (int i = 0; i < rounds; i++)
		printf("%s%.3f", i ? ", " : "", values[i]);
	printf("]");
}

static inline int limits_rounds(int argc, char **argv, int at)
{
	long rounds = argc > at ? strtol(argv[at], NULL, 10) : 7;

	return rounds < 1 || rounds > LIMITS_ROUNDS_MAX ? 0 : (int)rounds;
}

/* The nth of the CPUs that the process may use. */
static inline void limits_stay_on(int nth)
{
	static cpu_set_t allowed;
	cpu_set_t one;

	if (!CPU_COUNT(&allowed))
		(void)sched_getaffinity(0, sizeof(allowed), &allowed);
	CPU_ZERO(&one);
	for (int cpu = 0, seen = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && seen++ == nth)
			CPU_SET(cpu, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

/* A measurement on one CPU or on all at once. */
struct limits_run {
	double (*measure)(void *with, int nth);
	void *with;
	int threads;
	pthread_barrier_t begin;
	double ns[LIMITS_CPUS];
};

struct limits_thread {
	struct limits_run *run;
	int nth;
};

static inline void *limits_thread_run(void *arg)
{
	const struct sched_param now = {.sched_priority = 1};
	struct limits_thread *t = arg;

	/* some 10 ms without interruption */
	limits_stay_on(t->nth);
	(void)pthread_setschedparam(pthread_self(), SCHED_FIFO, &now);
	pthread_barrier_wait(&t->run->begin);
	t->run->ns[t->nth] = t->run->measure(t->run->with, t->nth);
	return NULL;
}

/* Return: the sum of what the threads measured; negative: one failed. */
static inline double limits_measure(double (*measure)(void *, int), void *with, int threads)
{
	struct limits_run run = {.measure = measure, .with = with, .threads = threads};
	struct limits_thread each[LIMITS_CPUS];
	pthread_t thread[LIMITS_CPUS];
	double sum = 0;

	pthread_barrier_init(&run.begin, NULL, (unsigned int)threads);
	for (int i = 0; i < threads; i++) {
		each[i] = (struct limits_thread){&run, i};
		if (pthread_create(&thread[i], NULL, limits_thread_run, &each[i])) {
			perror("bench_limits: thread");
			exit(1);
		}
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(thread[i], NULL);
		sum = run.ns[i] < 0 || sum < 0 ? -1 : sum + run.ns[i];
	}
	pthread_barrier_destroy(&run.begin);
	return sum;
}

#endif
