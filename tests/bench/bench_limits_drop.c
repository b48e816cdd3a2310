/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many frames a second the XDP program drops: one frame, sent again and again by the kernel
 * itself (BPF_F_TEST_XDP_LIVE_FRAMES) from one end of a veth into the other, where the program is
 * attached. Sender and program share a CPU, so a rate is both; beside it one that drops at once.
 *
 * bench_limits_drop DEVICE PEER [ROUNDS]: one JSON object a row. Root, in a network namespace of
 * its own (the program is taken off DEVICE with it).
 */
#include "tests/bench/limits_rows.h"

#include "ebpf/device.h"
#include "tests/unit/ebpf/xdp_world.h"

#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <limit_bench.skel.h>

enum { FRAMES = 200000, BATCH = 64, MAX_CPUS = 1024 };

#define NEXT_TO_NONE                                                              \
	{                                                                         \
		.algorithm = LIMIT_TOKEN_BUCKET, .rate_per_second = 1, .burst = 1 \
	}

struct row {
	const char *name;
	const char *program; /* of ours beside; NULL: Fender's */
	uint8_t tcp_flags;
	struct limits_rules rules;
	int verdict;
	double per_second[LIMITS_ROUNDS_MAX];
	double ns[LIMITS_ROUNDS_MAX]; /* in the program, as the kernel counts */
};

static struct row rows[] = {
	{.name = "dropped at once", .program = "bench_drop"},
	{.name = "Fender: beyond a connection's limit",
	 .tcp_flags = FRAME_ACK,
	 .rules = {.packets = NEXT_TO_NONE, .directions = LIMIT_TO_ENDPOINT},
	 .verdict = LIMIT_VERDICT_CONNECTION},
	{.name = "Fender: SYNs beyond a source's limit",
	 .tcp_flags = FRAME_SYN,
	 .rules = {.source = NEXT_TO_NONE},
	 .verdict = LIMIT_VERDICT_SOURCE},
	{.name = "Fender: no socket on the queue",
	 .tcp_flags = FRAME_ACK,
	 .verdict = LIMIT_VERDICT_NO_SOCKET},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static struct world world;
static struct limit_bench_bpf *beside;

static void fail(const char *what)
{
	fprintf(stderr, "bench_limits_drop: %s: %s\n", what,
		world.error[0] ? world.error : strerror(errno));
	world_close(&world);
	exit(1);
}

static int program_of(const struct row *r)
{
	const struct bpf_object *o = r->program ? beside->obj : world.program;

	return bpf_program__fd(
		bpf_object__find_program_by_name(o, r->program ? r->program : "fender_xdp"));
}

static uint64_t dropped(const struct row *r)
{
	uint64_t seen[MAX_CPUS] = {0}, sum = 0;
	__u32 row = 0;

	if (!r->program)
		return world_counters(&world, LIMIT_INTERFACES + WEB).packets[r->verdict];
	bpf_map_lookup_elem(bpf_map__fd(beside->maps.bench_seen), &row, seen);
	for (int i = 0; i < MAX_CPUS; i++)
		sum += seen[i];
	return sum;
}

static struct bpf_prog_info stats(int fd)
{
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);

	bpf_obj_get_info_by_fd(fd, &info, &size);
	return info;
}

/* Return: wall-clock ns a frame sent; negative: the kernel would not. */
static double flood(void *with, int nth)
{
	struct bytes *frame = with;
	struct bpf_test_run_opts o = {
		.sz = sizeof(o),
		.data_in = frame->data,
		.data_size_in = frame->size,
		.repeat = FRAMES,
		.flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		.batch_size = BATCH,
	};
	uint64_t start = limits_wall_ns();

	if (bpf_prog_test_run_opts(bpf_program__fd(beside->progs.bench_send), &o))
		return -1;
	return (double)(limits_wall_ns() - start) / FRAMES;
}

static struct bytes frame_for(const struct row *r)
{
	static uint16_t port = 1024;
	const struct wanted w = {.src = "10.9.0.9",
				 .dst = APP_IP,
				 .sport = port++,
				 .dport = 80,
				 .proto = FRAME_PROTO_TCP,
				 .tcp_flags = r->tcp_flags};

	return frame_of(&w);
}

static void measure_row(struct row *r, int device, int round)
{
	struct bytes frame = frame_for(r);
	struct bpf_prog_info before, after;
	int fd = program_of(r);
	uint64_t so_far;
	double ns;

	world.rules[WEB] = r->rules;
	if (world_apply(&world) || device_set(world.root, device, APP))
		fail(r->name);
	if (bpf_xdp_attach(device, fd, XDP_FLAGS_DRV_MODE, NULL))
		fail("attach");
	so_far = dropped(r);
	ns = limits_measure(flood, &frame, 1);
	if (ns < 0)
		fail("BPF_F_TEST_XDP_LIVE_FRAMES");
	r->per_second[round] = (double)(dropped(r) - so_far) / (ns * FRAMES) * 1e9;
	/* once more, timed by the kernel, which makes it slower */
	fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	before = stats(program_of(r));
	limits_measure(flood, &frame, 1);
	after = stats(program_of(r));
	if (fd >= 0)
		close(fd);
	if (after.run_cnt > before.run_cnt)
		r->ns[round] = (double)(after.run_time_ns - before.run_time_ns) /
			       (double)(after.run_cnt - before.run_cnt);
}

static void open_all(unsigned int peer)
{
	if (world_open(&world) || world_load(&world))
		fail("maps and program");
	beside = limit_bench_bpf__open();
	if (!beside)
		fail("limit_bench.bpf.o");
	beside->rodata->bench_device = peer;
	if (limit_bench_bpf__load(beside))
		fail("limit_bench.bpf.o");
}

int main(int argc, char **argv)
{
	unsigned int device = argc > 2 ? if_nametoindex(argv[1]) : 0;
	unsigned int peer = argc > 2 ? if_nametoindex(argv[2]) : 0;
	int rounds = limits_rounds(argc, argv, 3);

	if (!device || !peer || !rounds) {
		fprintf(stderr, "usage: bench_limits_drop DEVICE PEER [1..%d]\n",
			LIMITS_ROUNDS_MAX);
		return 2;
	}
	open_all(peer);
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < ROWS; i++)
			measure_row(&rows[i], (int)device, round);
	for (int i = 0; i < ROWS; i++) {
		printf("{\"name\": \"%s\"", rows[i].name);
		limits_print_values("per_second", rows[i].per_second, rounds);
		limits_print_values("program_ns", rows[i].ns, rounds);
		printf("}\n");
	}
	limit_bench_bpf__destroy(beside);
	world_close(&world);
	return 0;
}
