/* SPDX-License-Identifier: Apache-2.0 */
/* controlplane/limits.h: maps that are made, met again, filled and read; and the verifier. */
#include <bpf/bpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ebpf/object.h"
#include "tests/unit/ebpf/xdp_suite.h"

static struct world world;

static const struct limit_spec plenty = {LIMIT_TOKEN_BUCKET, 1 << 30, 1 << 30, 0};

static struct limits *open_again(uint32_t connections)
{
	const struct limits_sizes sizes = {.listeners = WORLD_LISTENERS,
					   .connections = connections,
					   .sources = WORLD_CONNECTIONS,
					   .snat_ports = 2 * 2 * SNAT_PORTS};

	return limits_open(world.root, &sizes, world.error, sizeof(world.error));
}

static struct wanted tcp_from(uint16_t port)
{
	return (struct wanted){.src = "10.9.0.9",
			       .dst = APP_IP,
			       .sport = port,
			       .dport = 80,
			       .proto = FRAME_PROTO_TCP,
			       .tcp_flags = FRAME_SYN};
}

static int verdict_of(const struct wanted *w)
{
	struct bytes frame = frame_of(w);

	return world_meet(&world, APP, &frame).verdict;
}

static void a_slot_with_another_name_begins_anew(void)
{
	struct wanted w = tcp_from(170);
	struct limit_counters sum;

	memset(world.rules, 0, sizeof(world.rules));
	world.rules[WEB] = (struct limits_rules){.listener = {LIMIT_TOKEN_BUCKET, 1, 1, 0}};
	CU_ASSERT_EQUAL_FATAL(world_apply(&world), 0);
	CU_ASSERT_EQUAL_FATAL(limits_forget_listener(world.limits, WEB), 0);
	CU_ASSERT_EQUAL(verdict_of(&w), LIMIT_VERDICT_PASSED);
	w.sport++;
	CU_ASSERT_EQUAL(verdict_of(&w), LIMIT_VERDICT_LISTENER);
	CU_ASSERT_EQUAL(limits_forget_listener(world.limits, WEB), 0);
	CU_ASSERT_EQUAL(limits_listener_counters(world.limits, WEB, &sum), 0);
	CU_ASSERT_EQUAL(sum.packets[LIMIT_VERDICT_LISTENER], 0);
	CU_ASSERT_EQUAL(sum.packets[LIMIT_VERDICT_PASSED], 0);
	w.sport++;
	CU_ASSERT_EQUAL(verdict_of(&w), LIMIT_VERDICT_PASSED);
	CU_ASSERT_EQUAL(limits_forget_listener(world.limits, WORLD_LISTENERS), -ENOENT);
}

static void verifier_accepts_the_program(void)
{
	enum { LOG = 1 << 16 };
	struct bpf_object *object = object_open();
	struct bpf_program *p;
	char *log = calloc(1, LOG);
	struct bpf_prog_info info = {0};
	uint32_t bytes = sizeof(info);
	unsigned long insns;
	const char *processed;

	CU_ASSERT_PTR_NOT_NULL_FATAL(object);
	p = bpf_object__find_program_by_name(object, "fender_xdp");
	bpf_program__set_log_level(p, 4);
	bpf_program__set_log_buf(p, log, LOG);
	CU_ASSERT_EQUAL_FATAL(object_bind(object, world.root, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(bpf_object__load(object), 0);
	processed = strstr(log, "processed ");
	CU_ASSERT_PTR_NOT_NULL_FATAL(processed);
	insns = strtoul(processed + strlen("processed "), NULL, 10);
	CU_ASSERT_EQUAL(bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &bytes), 0);
	printf("\n    %u instructions, %u bytes jited, the verifier walked %lu of 1,000,000\n    ",
	       info.xlated_prog_len / 8, info.jited_prog_len, insns);
	CU_ASSERT_TRUE(insns > 0 && insns < 1000000 / 4); /* room for kernels that prune less */
	bpf_object__close(object);
	free(log);
}

static void maps_are_met_again_with_all_that_is_in_them(void)
{
	struct wanted w = tcp_from(100);
	struct limits *again;

	memset(world.rules, 0, sizeof(world.rules));
	/* one of 40 bytes passes, the next one 39 s later */
	world.rules[WEB] = (struct limits_rules){.bytes = {LIMIT_TOKEN_BUCKET, 1, 41, 0},
						 .directions = LIMIT_TO_ENDPOINT};
	CU_ASSERT_EQUAL_FATAL(world_apply(&world), 0);
	CU_ASSERT_EQUAL(verdict_of(&w), LIMIT_VERDICT_PASSED);

	again = open_again(WORLD_CONNECTIONS);
	CU_ASSERT_PTR_NOT_NULL_FATAL(again);
	CU_ASSERT_EQUAL(limits_generation(again), world.generation);
	limits_close(world.limits);
	world.limits = again;
	CU_ASSERT_EQUAL(verdict_of(&w), LIMIT_VERDICT_CONNECTION);
	CU_ASSERT_EQUAL(world_apply(&world), 0);
	CU_ASSERT_EQUAL(limits_generation(again), world.generation);
	CU_ASSERT_EQUAL(verdict_of(&w), LIMIT_VERDICT_CONNECTION);
}

static void maps_of_other_sizes_are_refused_by_name(void)
{
	CU_ASSERT_PTR_NULL(open_again(WORLD_CONNECTIONS + 1));
	CU_ASSERT_EQUAL(errno, ESTALE);
	CU_ASSERT_PTR_NOT_NULL(strstr(world.error, "connections4"));
}

static void map_of_another_kind_is_refused(void)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/sources", world.root);
	unlink(path); /* the programs keep theirs */
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "sources", 4, 4, 4, NULL);
	CU_ASSERT_EQUAL_FATAL(bpf_obj_pin(fd, path), 0);
	close(fd);
	CU_ASSERT_PTR_NULL(open_again(WORLD_CONNECTIONS));
	CU_ASSERT_EQUAL(errno, ESTALE);
	CU_ASSERT_PTR_NOT_NULL(strstr(world.error, "sources"));
	CU_ASSERT_EQUAL(unlink(path), 0);
	CU_ASSERT_EQUAL_FATAL(bpf_obj_pin(world_map(&world, "sources"), path), 0);
}

static void failed_opening_leaves_no_pins(void)
{
	const struct limits_sizes none = {.listeners = 0};
	const struct limits_sizes huge = {.listeners = LIMIT_MAX_LISTENERS + 1};
	const struct limits_sizes some = {.listeners = 1};
	char root[128];

	snprintf(root, sizeof(root), "%s-other", world.root);
	CU_ASSERT_PTR_NULL(limits_open(root, &none, world.error, sizeof(world.error)));
	CU_ASSERT_EQUAL(errno, EINVAL);
	CU_ASSERT_PTR_NULL(limits_open(root, &huge, world.error, sizeof(world.error)));
	CU_ASSERT_EQUAL(access(root, F_OK), -1);
	CU_ASSERT_PTR_NULL(
		limits_open("/tmp/fender-no-bpffs", &some, world.error, sizeof(world.error)));
	CU_ASSERT_EQUAL(errno, ENODEV);
	CU_ASSERT_PTR_NOT_NULL(strstr(world.error, "mount -t bpf"));
	CU_ASSERT_EQUAL(access("/tmp/fender-no-bpffs", F_OK), -1);
}

static void removed_maps_are_gone(void)
{
	const struct limits_sizes some = {.listeners = 1};
	struct limits *l;
	char root[128];

	snprintf(root, sizeof(root), "%s-other", world.root);
	l = limits_open(root, &some, world.error, sizeof(world.error));
	CU_ASSERT_PTR_NOT_NULL_FATAL(l);
	limits_close(l);
	CU_ASSERT_EQUAL(access(root, F_OK), 0);
	CU_ASSERT_EQUAL(limits_remove(root), 0);
	CU_ASSERT_EQUAL(access(root, F_OK), -1);
	CU_ASSERT_EQUAL(limits_remove(root), 0);
}

static void program_binds_only_to_maps_that_are_there(void)
{
	struct bpf_object *object = object_open();
	const char *name = NULL;

	CU_ASSERT_EQUAL(object_bind(object, "/nowhere", &name), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(name);
	bpf_object__close(object);
}

struct wrong {
	const char *says;
	int error;
	void (*spoil)(struct limits_policy *policy, struct limits_listener *listeners);
};

static void spoil_number(struct limits_policy *policy, struct limits_listener *listeners)
{
	listeners[0].number = WORLD_LISTENERS;
}

static void spoil_action(struct limits_policy *policy, struct limits_listener *listeners)
{
	listeners[0].rules.source_action = LIMIT_MARK;
}

static void spoil_rate(struct limits_policy *policy, struct limits_listener *listeners)
{
	listeners[0].rules.packets.rate_per_second = 0;
}

static void spoil_direction(struct limits_policy *policy, struct limits_listener *listeners)
{
	listeners[0].rules.directions = 0;
}

static void spoil_udp(struct limits_policy *policy, struct limits_listener *listeners)
{
	listeners[2].rules.packets = plenty;
	listeners[2].rules.directions = LIMIT_TO_CLIENT;
	listeners[2].rules.source = plenty;
}

static void spoil_generation(struct limits_policy *policy, struct limits_listener *listeners)
{
	policy->generation = 1ull << 63;
}

static struct limits_interface spoiled[3];

static void spoil_ports(struct limits_policy *policy, struct limits_listener *listeners)
{
	memcpy(spoiled, policy->interfaces, sizeof(spoiled));
	spoiled[1].snat_high++;
	policy->interfaces = spoiled;
}

static void spoil_interface(struct limits_policy *policy, struct limits_listener *listeners)
{
	memcpy(spoiled, policy->interfaces, sizeof(spoiled));
	spoiled[1].number = spoiled[0].number;
	policy->interfaces = spoiled;
}

static void spoil_address(struct limits_policy *policy, struct limits_listener *listeners)
{
	policy->interface_count = 1;
}

static void wrong_policy_changes_nothing(void)
{
	static const struct wrong rows[] = {
		{"listener 8 of 8", -EINVAL, spoil_number},
		{"unknown action", -EINVAL, spoil_action},
		{"no limit can be made", -ERANGE, spoil_rate},
		{"no direction", -EINVAL, spoil_direction},
		{"per source and listener", -EINVAL, spoil_udp},
		{"2^63", -EINVAL, spoil_generation},
		{"20 SNAT ports", -ENOSPC, spoil_ports},
		{"comes twice", -EINVAL, spoil_interface},
		{"address of no interface", -EINVAL, spoil_address},
	};

	memset(world.rules, 0, sizeof(world.rules));
	world.rules[WEB] =
		(struct limits_rules){.packets = plenty, .directions = LIMIT_TO_ENDPOINT};
	CU_ASSERT_EQUAL_FATAL(world_apply(&world), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct limits_listener listeners[WORLD_LISTENERS];
		struct limits_policy policy = world_policy(&world, listeners);

		policy.generation++;
		rows[i].spoil(&policy, listeners);
		CU_ASSERT_EQUAL(
			limits_apply(world.limits, &policy, world.error, sizeof(world.error)),
			rows[i].error);
		CU_ASSERT_PTR_NOT_NULL(strstr(world.error, rows[i].says));
		CU_ASSERT_EQUAL(limits_generation(world.limits), world.generation);
	}
}

static void listener_that_left_is_the_kernels_again(void)
{
	const struct wanted w = {.src = "10.8.0.9",
				 .dst = NET_IP,
				 .sport = 1,
				 .dport = 8080,
				 .proto = FRAME_PROTO_TCP,
				 .tcp_flags = FRAME_SYN};
	struct bytes frame = frame_of(&w);

	CU_ASSERT_EQUAL(world_meet(&world, NET, &frame).action, XDP_REDIRECT);
	world.without_in = 1;
	CU_ASSERT_EQUAL(world_apply(&world), 0);
	CU_ASSERT_EQUAL(world_meet(&world, NET, &frame).action, XDP_PASS);
	world.without_in = 0;
	CU_ASSERT_EQUAL(world_apply(&world), 0);
	CU_ASSERT_EQUAL(world_meet(&world, NET, &frame).action, XDP_REDIRECT);
}

/* After a kill a control plane cannot know who drains: the maps do. */
static void listener_that_is_kept_has_its_limits(void)
{
	const struct wanted w = {.src = "10.8.0.9",
				 .dst = NET_IP,
				 .sport = 2,
				 .dport = 8080,
				 .proto = FRAME_PROTO_TCP,
				 .tcp_flags = FRAME_SYN};
	struct bytes frame = frame_of(&w);

	memset(world.rules, 0, sizeof(world.rules));
	world.rules[IN] = (struct limits_rules){.packets = {LIMIT_TOKEN_BUCKET, 1, 2, 0},
						.directions = LIMIT_TO_ENDPOINT};
	CU_ASSERT_EQUAL_FATAL(world_apply(&world), 0);
	world_run(&world, NET, &frame, 100);
	world.without_in = 1;
	world.keep_others = 1;
	for (int i = 0; i < 2; i++) { /* either half */
		struct outcome met;

		CU_ASSERT_EQUAL(world_apply(&world), 0);
		world_run(&world, NET, &frame, 100);
		met = world_meet(&world, NET, &frame);
		CU_ASSERT_EQUAL(met.action, XDP_DROP);
		CU_ASSERT_EQUAL(met.row, LIMIT_INTERFACES + IN);
		CU_ASSERT_EQUAL(met.verdict, LIMIT_VERDICT_CONNECTION);
	}
	world.keep_others = 0;
	CU_ASSERT_EQUAL(world_apply(&world), 0);
	CU_ASSERT_EQUAL(world_meet(&world, NET, &frame).action, XDP_PASS);
	world.without_in = 0;
	memset(world.rules, 0, sizeof(world.rules));
	CU_ASSERT_EQUAL(world_apply(&world), 0);
	CU_ASSERT_EQUAL(world_meet(&world, NET, &frame).action, XDP_REDIRECT);
}

static void folder_that_others_write_to_is_refused(void)
{
	const struct limits_sizes some = {.listeners = 1};
	char root[128];

	snprintf(root, sizeof(root), "%s-other", world.root);
	CU_ASSERT_EQUAL_FATAL(mkdir(root, 0700), 0);
	CU_ASSERT_EQUAL(chmod(root, 0777), 0);
	CU_ASSERT_PTR_NULL(limits_open(root, &some, world.error, sizeof(world.error)));
	CU_ASSERT_EQUAL(errno, EPERM);
	CU_ASSERT_PTR_NOT_NULL(strstr(world.error, "only this user"));
	CU_ASSERT_EQUAL(chmod(root, 0700), 0);
	CU_ASSERT_EQUAL(chown(root, 1234, 0), 0);
	CU_ASSERT_PTR_NULL(limits_open(root, &some, world.error, sizeof(world.error)));
	CU_ASSERT_EQUAL(errno, EPERM);
	CU_ASSERT_EQUAL(rmdir(root), 0);
}

static void top_has_the_most_refused_first(void)
{
	const struct wanted answer = {.src = "10.8.0.9",
				      .dst = NET_IP,
				      .sport = 80,
				      .dport = SNAT_LOW,
				      .proto = FRAME_PROTO_TCP,
				      .tcp_flags = FRAME_ACK};
	struct bytes frame = frame_of(&answer);
	struct limits_connection top[3];
	uint64_t packets;
	uint64_t bytes;

	memset(world.rules, 0, sizeof(world.rules));
	world.rules[WEB] = (struct limits_rules){.packets = {LIMIT_LEAKY_BUCKET, 1, 2, 0},
						 .directions = LIMIT_TO_ENDPOINT | LIMIT_TO_CLIENT};
	CU_ASSERT_EQUAL_FATAL(world_apply(&world), 0);
	for (uint16_t port = 200; port < 210; port++) {
		struct wanted w = tcp_from(port);
		struct bytes b = frame_of(&w);

		if (port == 205)
			w.src = "fd00:9::9", w.dst = APP_IP6;
		b = frame_of(&w);
		for (uint16_t n = 200; n <= port; n++)
			world_run(&world, APP, &b, 10);
	}
	world_own_port(&world, 0, LIMIT_OWNER(WEB, 5));
	world_run(&world, NET, &frame, 85 + 2);
	CU_ASSERT_EQUAL_FATAL(limits_top(world.limits, top, 3), 3);
	CU_ASSERT_EQUAL(ntohs(top[0].sport), 209);
	CU_ASSERT_TRUE(top[0].refused >= 96 && top[0].refused <= 98);
	CU_ASSERT_EQUAL(top[0].listener, WEB);
	CU_ASSERT_EQUAL(top[0].proto, FRAME_PROTO_TCP);
	limits_passed(0, top[0].passed, &packets, &bytes);
	CU_ASSERT_EQUAL(packets + top[0].refused, 100);
	CU_ASSERT_EQUAL(bytes, 40 * packets);
	CU_ASSERT_EQUAL(ntohs(top[1].sport), 208);
	CU_ASSERT_TRUE(top[2].to_client);
	CU_ASSERT_EQUAL(top[2].place, 0);
	CU_ASSERT_EQUAL(limits_top(world.limits, top, 0), 0);
	world_own_port(&world, 0, 0);

	/* a difference that carries from bytes into packets */
	limits_passed((7ull << 40) - 60, (9ull << 40) + 40, &packets, &bytes);
	CU_ASSERT_EQUAL(packets, 2);
	CU_ASSERT_EQUAL(bytes, 100);
	CU_ASSERT_STRING_EQUAL(limits_verdict_name(LIMIT_VERDICT_CONNECTION),
			       "rate_limited_connection");
	CU_ASSERT_STRING_EQUAL(limits_verdict_name(LIMIT_VERDICT_COUNT), "unknown");
}

static void *offer(void *arg)
{
	struct wanted w = tcp_from(300);
	struct bytes frame = frame_of(&w);

	for (int i = 0; i < 5; i++)
		world_run(&world, APP, &frame, 200000);
	return NULL;
}

static void two_cpus_together_stay_below_one_limit(void)
{
	enum { RATE = 100000, BURST = 100, OFFERED = 2 * 5 * 200000 };
	struct limit_counters before = world_counters(&world, LIMIT_INTERFACES + WEB);
	struct limit_counters after;
	struct timespec start, end;
	pthread_t threads[2];
	uint64_t passed = 0;
	uint64_t all = 0;
	double seconds;

	memset(world.rules, 0, sizeof(world.rules));
	world.rules[WEB] = (struct limits_rules){.packets = {LIMIT_TOKEN_BUCKET, RATE, BURST, 0},
						 .directions = LIMIT_TO_ENDPOINT};
	CU_ASSERT_EQUAL_FATAL(world_apply(&world), 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, offer, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
	after = world_counters(&world, LIMIT_INTERFACES + WEB);
	for (int v = 0; v < LIMIT_COUNTER_SLOTS; v++)
		all += after.packets[v] - before.packets[v];
	passed = after.packets[LIMIT_VERDICT_PASSED] - before.packets[LIMIT_VERDICT_PASSED];
	printf("\n    %llu of %llu in %.3f s, %.0f/s, %llu contended\n    ",
	       (unsigned long long)passed, (unsigned long long)all, seconds,
	       (double)passed / seconds,
	       (unsigned long long)(after.packets[LIMIT_VERDICT_CONTENDED] -
				    before.packets[LIMIT_VERDICT_CONTENDED]));
	CU_ASSERT_EQUAL(all, OFFERED);
	CU_ASSERT_TRUE((double)passed <= BURST + RATE * seconds + 1);
	CU_ASSERT_TRUE(passed >= BURST);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(verifier_accepts_the_program),
		SUITE_TEST(a_slot_with_another_name_begins_anew),
		SUITE_TEST(maps_are_met_again_with_all_that_is_in_them),
		SUITE_TEST(maps_of_other_sizes_are_refused_by_name),
		SUITE_TEST(map_of_another_kind_is_refused),
		SUITE_TEST(failed_opening_leaves_no_pins),
		SUITE_TEST(removed_maps_are_gone),
		SUITE_TEST(program_binds_only_to_maps_that_are_there),
		SUITE_TEST(wrong_policy_changes_nothing),
		SUITE_TEST(listener_that_left_is_the_kernels_again),
		SUITE_TEST(folder_that_others_write_to_is_refused),
		SUITE_TEST(top_has_the_most_refused_first),
		SUITE_TEST(two_cpus_together_stay_below_one_limit),
		SUITE_TEST(listener_that_is_kept_has_its_limits),
		CU_TEST_INFO_NULL,
	};

	return world_suite(&world, "xdp: maps", tests);
}
