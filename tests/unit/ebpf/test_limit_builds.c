/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The builds of ebpf/limit.h agree, step by step: native, the kernel's (CAP_BPF; skipped, and said
 * so, without) and librte_bpf's, interpreted and translated.
 */
#include "tests/unit/ebpf/limits.h"
#include "ebpf/limit_test.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <rte_bpf.h>
#include <rte_log.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef LIMIT_TEST_DIR
#error "LIMIT_TEST_DIR: where limit_test.bpf.o and limit_test_dpdk.bpf.o are"
#endif

enum { BATCHES = 16 }; /* of LIMIT_TEST_STEPS: a million steps */

struct state {
	struct limit_test_words words[LIMIT_TEST_WORDS];
};

static struct limit_test_rules rules[LIMIT_TEST_RULES];
static struct limit_test_step steps[LIMIT_TEST_STEPS];
static uint64_t seed = 0x1d8e4e27c47d124f;
static uint64_t now_ns = NOW_NS;
static unsigned int verdicts[16];

static struct limit_rule random_rule(uint64_t max_rate)
{
	uint64_t rate = random_magnitude(&seed, max_rate);
	uint32_t algorithm = (uint32_t)(random64(&seed) % (LIMIT_SLIDING_WINDOW + 1));
	struct limit_spec spec = {.algorithm = algorithm, .rate_per_second = rate};
	struct limit_rule rule = {0};

	if (is_bucket(algorithm))
		spec.burst = 1 + random64(&seed) % (2 * rate);
	if (algorithm)
		rule = rule_of(&spec);
	return random64(&seed) % 8 ? rule : limit_rule_double(&rule);
}

static void random_rules(void)
{
	for (int i = 0; i < LIMIT_TEST_RULES; i++) {
		rules[i].rule[0] = random_rule(1 << 14);
		rules[i].rule[1] = random_rule(1ull << (14 + random64(&seed) % 19));
	}
}

/* Words mostly under one rule, sometimes under any; time mostly forwards, sometimes anywhere. */
static void random_steps(void)
{
	for (int i = 0; i < LIMIT_TEST_STEPS; i++) {
		struct limit_test_step *s = &steps[i];
		uint64_t kind = random64(&seed) % 256;

		now_ns += random64(&seed) >> (36 + random64(&seed) % 28);
		memset(s, 0, sizeof(*s));
		s->now_ns = kind == 0   ? random64(&seed)
			    : kind < 24 ? now_ns - (random64(&seed) >> (30 + kind))
					: now_ns;
		s->words = (uint8_t)(random64(&seed) % LIMIT_TEST_WORDS);
		s->rules = (uint8_t)(random64(&seed) % 64 ? s->words : random64(&seed) % 64);
		s->op = (uint16_t)(random64(&seed) % LIMIT_TEST_OPS);
		if (s->op == LIMIT_TEST_PAIR)
			s->cost = (uint32_t)random_magnitude(&seed, 1 << 17);
		else if (s->op == LIMIT_TEST_TAKE)
			s->cost = (uint32_t)random_magnitude(&seed, 1 << 10);
		else
			s->cost = (uint32_t)(random64(&seed) % 4);
	}
}

static void run_native(struct state *state)
{
	for (int i = 0; i < LIMIT_TEST_STEPS; i++) {
		struct limit_test_step *s = &steps[i];
		struct limit_test_words *w = &state->words[s->words];
		const struct limit_rule *r = rules[s->rules].rule;

		if (s->op == LIMIT_TEST_PAIR)
			s->verdict = limit_take_pair(w->word, r, s->now_ns, s->cost);
		else if (s->op == LIMIT_TEST_GIVE_BACK)
			s->verdict = limit_give_back(&w->word[0], r, s->now_ns, s->cost);
		else
			s->verdict = limit_take(&w->word[0], r, s->now_ns, s->cost);
		memcpy(s->after, w->word, sizeof(s->after));
		verdicts[s->verdict]++;
	}
}

static int differs(const struct limit_test_step *a, const struct limit_test_step *b)
{
	return a->verdict != b->verdict || a->after[0] != b->after[0] || a->after[1] != b->after[1];
}

/* The kernel's build. */

struct kernel {
	struct bpf_object *object;
	int program_fd;
	int words_fd;
	struct limit_test_step *steps; /* the map's memory */
};

static int map_fd(const struct kernel *k, const char *name)
{
	return bpf_object__find_map_fd_by_name(k->object, name);
}

static void kernel_close(struct kernel *k)
{
	if (k->steps)
		munmap(k->steps, sizeof(steps));
	bpf_object__close(k->object);
	memset(k, 0, sizeof(*k));
}

/* Return: 0, or -errno: -EPERM where this process may load no program. */
static int kernel_open(struct kernel *k)
{
	int err;

	memset(k, 0, sizeof(*k));
	k->object = bpf_object__open_file(LIMIT_TEST_DIR "/limit_test.bpf.o", NULL);
	if (!k->object)
		return -errno;
	err = bpf_object__load(k->object);
	if (err)
		goto close;
	k->program_fd = bpf_program__fd(bpf_object__find_program_by_name(k->object, "limit_test"));
	k->words_fd = map_fd(k, "words");
	k->steps = mmap(NULL, sizeof(steps), PROT_READ | PROT_WRITE, MAP_SHARED, map_fd(k, "steps"),
			0);
	if (k->steps == MAP_FAILED) {
		err = -errno;
		k->steps = NULL;
		goto close;
	}
	for (uint32_t i = 0; i < LIMIT_TEST_RULES && !err; i++)
		err = bpf_map_update_elem(map_fd(k, "rules"), &i, &rules[i], 0);
	for (uint32_t i = 0; i < LIMIT_TEST_WORDS && !err; i++)
		err = bpf_map_update_elem(k->words_fd, &i, &(struct limit_test_words){{0}}, 0);
	if (!err)
		return 0;
close:
	kernel_close(k);
	return err;
}

static uint64_t kernel_time_ns(int program_fd, uint32_t repeat)
{
	static char frame[64];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = (int)repeat);

	CU_ASSERT_EQUAL(bpf_prog_test_run_opts(program_fd, &run), 0);
	CU_ASSERT_EQUAL(run.retval, 2);
	return run.duration;
}

static int kernel_opened(struct kernel *k)
{
	int err = kernel_open(k);

	if (err == -EPERM || err == -EACCES) {
		puts("  skipped: loading BPF programs needs CAP_BPF and CAP_NET_ADMIN");
		return 0;
	}
	CU_ASSERT_EQUAL_FATAL(err, 0);
	return 1;
}

static void kernel_decides_as_native(void)
{
	struct state native = {0};
	struct kernel k;
	int found = 0;

	random_rules();
	if (!kernel_opened(&k))
		return;
	for (int batch = 0; batch < BATCHES; batch++) {
		random_steps();
		memcpy(k.steps, steps, sizeof(steps));
		run_native(&native);
		kernel_time_ns(k.program_fd, LIMIT_TEST_STEPS);
		for (int i = 0; i < LIMIT_TEST_STEPS; i++)
			found += differs(&steps[i], &k.steps[i]);
	}
	CU_ASSERT_EQUAL(found, 0);
	kernel_close(&k);
}

static void print_size(struct kernel *k, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(k->object, name);
	struct bpf_prog_info info = {0};
	uint32_t length = sizeof(info);

	CU_ASSERT_EQUAL(bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &length), 0);
	printf("  %s: %u instructions, %u verified, %u bytes translated, %lu ns\n", name,
	       info.xlated_prog_len / 8, info.verified_insns, info.jited_prog_len,
	       (unsigned long)kernel_time_ns(bpf_program__fd(program), 200000));
}

static void verifier_accepts_with_room(void)
{
	struct kernel k;

	if (!kernel_opened(&k))
		return;
	/* passing, so that each run writes */
	for (int i = 0; i < 2; i++)
		rules[0].rule[i] = bucket(LIMIT_MAX_RATE, LIMIT_MAX_BURST);
	CU_ASSERT_EQUAL(bpf_map_update_elem(map_fd(&k, "rules"), &(uint32_t){0}, &rules[0], 0), 0);
	print_size(&k, "limit_time_none");
	print_size(&k, "limit_time_take");
	print_size(&k, "limit_time_pair");
	kernel_close(&k);
}

/* librte_bpf's build. */

static struct rte_bpf *dpdk_open(void)
{
	struct rte_bpf_prm prm = {
		.prog_arg = {.type = RTE_BPF_ARG_PTR, .size = sizeof(struct limit_test_case)},
	};
	struct rte_bpf *bpf;

	rte_log_set_global_level(RTE_LOG_WARNING);
	bpf = rte_bpf_elf_load(&prm, LIMIT_TEST_DIR "/limit_test_dpdk.bpf.o", "dpdk");
	CU_ASSERT_PTR_NOT_NULL_FATAL(bpf);
	return bpf;
}

/* One batch by librte_bpf; translated when @jit. Return: steps that differ from the native ones. */
static int dpdk_differing(const struct rte_bpf *bpf, struct state *state, int jit)
{
	struct rte_bpf_jit translated;
	int found = 0;

	CU_ASSERT_EQUAL_FATAL(rte_bpf_get_jit(bpf, &translated), 0);
	for (int i = 0; i < LIMIT_TEST_STEPS; i++) {
		const struct limit_test_step *s = &steps[i];
		struct limit_test_case c = {state->words[s->words], rules[s->rules], *s};

		memset(c.step.after, 0, sizeof(c.step.after));
		c.step.verdict = UINT32_MAX;
		if (jit)
			found += translated.func(&c) != s->verdict;
		else
			found += rte_bpf_exec(bpf, &c) != s->verdict;
		found += differs(s, &c.step);
		state->words[s->words] = c.words;
	}
	return found;
}

static void rte_bpf_decides_as_native(void)
{
	struct state native = {0}, translated = {0}, interpreted = {0};
	struct rte_bpf *bpf = dpdk_open();
	int jit = 0, interpreter = 0;

	random_rules();
	for (int batch = 0; batch < BATCHES; batch++) {
		random_steps();
		run_native(&native);
		jit += dpdk_differing(bpf, &translated, 1);
		interpreter += dpdk_differing(bpf, &interpreted, 0);
	}
	CU_ASSERT_EQUAL(jit, 0);
	CU_ASSERT_EQUAL(interpreter, 0);
	rte_bpf_destroy(bpf);
}

/* The two above compare what matters: every verdict that one thread can meet, thousands of times.
 */
static void steps_met_every_verdict(void)
{
	CU_ASSERT(verdicts[LIMIT_PASS] > 10000);
	CU_ASSERT(verdicts[LIMIT_REFUSED] > 10000);
	CU_ASSERT(verdicts[LIMIT_TOO_BIG] > 1000);
	CU_ASSERT(verdicts[LIMIT_REFUSED | LIMIT_BY_BYTES] > 1000);
	CU_ASSERT(verdicts[LIMIT_TOO_BIG | LIMIT_BY_BYTES] > 1000);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(kernel_decides_as_native),
		SUITE_TEST(verifier_accepts_with_room),
		SUITE_TEST(rte_bpf_decides_as_native),
		SUITE_TEST(steps_met_every_verdict),
		CU_TEST_INFO_NULL,
	};

	return suite_run("limit_builds", tests);
}
