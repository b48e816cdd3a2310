/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a frame costs in the XDP program, by BPF_PROG_TEST_RUN: one frame again and again, on one
 * CPU, on two that share a connection, on two with one each. Beside it programs that look up in the
 * same kind of map and count, without and with a limit (ebpf/limit_bench.bpf.c). The redirect is
 * decided and not carried out; caches are warm.
 *
 * bench_limits [ROUNDS]: one JSON object a row on standard output. Root.
 */
#include "tests/bench/limits_rows.h"

#include "tests/unit/ebpf/xdp_world.h"

#include <errno.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <limit_bench.skel.h>

enum {
	REPEAT = 100000, /* frames of one run: 5 to 20 ms */
	LONGER = 8,      /* so long does the other CPU run, that all of a run meets it */
	ALL_RUNS = (LONGER + 2) * REPEAT,
	HEAD_START_US = 5000,
	CONNECTIONS = 65536,
	EACH_WAY = 3, /* one CPU; two, one connection; two, a connection each */
};

enum whose { WHOLE_PROGRAM, BESIDE };

struct row {
	const char *name;
	enum whose whose;
	const char *program; /* BESIDE: its name */
	uint8_t interface;
	uint8_t to_client;
	uint8_t used_up; /* the burst is gone before the clock starts */
	struct wanted frame;
	struct limits_rules rules;
	int verdict; /* enum limit_verdict_name: of nearly all frames */
	double ns[EACH_WAY][LIMITS_ROUNDS_MAX];
};

#define PLENTY                                                                                \
	{                                                                                     \
		.algorithm = LIMIT_TOKEN_BUCKET, .rate_per_second = 1 << 30, .burst = 1 << 30 \
	}
#define PLENTY_BYTES                                                  \
	{                                                             \
		LIMIT_TOKEN_BUCKET, LIMIT_MAX_RATE, LIMIT_MAX_RATE, 0 \
	}
#define NEXT_TO_NONE                                                              \
	{                                                                         \
		.algorithm = LIMIT_TOKEN_BUCKET, .rate_per_second = 1, .burst = 1 \
	}
#define USED_ONCE                                                              \
	{                                                                      \
		LIMIT_TOKEN_BUCKET, ALL_RUNS / LIMIT_MAX_FILL + 1, ALL_RUNS, 0 \
	}
#define TO_WEB                                                                          \
	{                                                                               \
		.src = "10.9.0.9", .dst = APP_IP, .dport = 80, .proto = FRAME_PROTO_TCP \
	}
#define TO_WEB6                                                                           \
	{                                                                                 \
		.src = "fd00:9::9", .dst = APP_IP6, .dport = 80, .proto = FRAME_PROTO_TCP \
	}
#define TO_WEB_ECT                                                                                \
	{                                                                                         \
		.src = "10.9.0.9", .dst = APP_IP, .dport = 80, .proto = FRAME_PROTO_TCP, .ecn = 1 \
	}
#define TO_KERNEL                                                                        \
	{                                                                                \
		.src = "10.9.0.9", .dst = KEPT_IP, .dport = 80, .proto = FRAME_PROTO_TCP \
	}
#define TO_SNAT                                                                         \
	{                                                                               \
		.src = "10.8.0.9", .dst = NET_IP, .sport = 80, .proto = FRAME_PROTO_TCP \
	}

static struct row rows[] = {
	{.name = "BPF_PROG_TEST_RUN alone",
	 .whose = BESIDE,
	 .program = "bench_nothing",
	 .frame = TO_WEB},
	{.name = "look up and count only",
	 .whose = BESIDE,
	 .program = "bench_look_up",
	 .frame = TO_WEB},
	{.name = "the same, limit in packets",
	 .whose = BESIDE,
	 .program = "bench_take",
	 .frame = TO_WEB},
	{.name = "the same, limit in packets and bytes",
	 .whose = BESIDE,
	 .program = "bench_take_pair",
	 .frame = TO_WEB},
	{.name = "Fender: the kernel's frame", .frame = TO_KERNEL, .verdict = LIMIT_VERDICT_KERNEL},
	{.name = "Fender: no limits", .frame = TO_WEB},
	{.name = "Fender: limit in packets", .frame = TO_WEB, .rules = {.packets = PLENTY}},
	{.name = "Fender: limit in packets and bytes",
	 .frame = TO_WEB,
	 .rules = {.packets = PLENTY, .bytes = PLENTY_BYTES}},
	{.name = "Fender: limit in packets, IPv6", .frame = TO_WEB6, .rules = {.packets = PLENTY}},
	{.name = "Fender: refused",
	 .frame = TO_WEB,
	 .rules = {.packets = NEXT_TO_NONE},
	 .verdict = LIMIT_VERDICT_CONNECTION},
	{.name = "Fender: marked",
	 .frame = TO_WEB_ECT,
	 .used_up = 1,
	 .rules = {.packets = USED_ONCE, .action = LIMIT_MARK},
	 .verdict = LIMIT_VERDICT_MARKED},
	{.name = "Fender: no limits, towards the client",
	 .frame = TO_SNAT,
	 .interface = NET,
	 .to_client = 1},
	{.name = "Fender: limit in packets, towards the client",
	 .frame = TO_SNAT,
	 .interface = NET,
	 .to_client = 1,
	 .rules = {.packets = PLENTY}},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static struct world world;
static struct limit_bench_bpf *beside;

static void fail(const char *what)
{
	fprintf(stderr, "bench_limits: %s: %s\n", what,
		world.error[0] ? world.error : strerror(errno));
	world_close(&world);
	exit(1);
}

static void open_beside(void)
{
	const struct limit_spec packets = PLENTY, bytes = PLENTY_BYTES;
	struct limit_rule rules[2];
	__u32 row = 0;

	beside = limit_bench_bpf__open();
	if (!beside)
		fail("limit_bench.bpf.o");
	bpf_map__set_max_entries(beside->maps.bench_flows, 2 * CONNECTIONS);
	if (limit_bench_bpf__load(beside))
		fail("limit_bench.bpf.o");
	if (limit_rule_make(&rules[0], &packets) || limit_rule_make(&rules[1], &bytes))
		fail("rules");
	bpf_map_update_elem(bpf_map__fd(beside->maps.bench_rules), &row, rules, BPF_ANY);
}

/* A measurement: the frame of each CPU. */
struct meeting {
	const struct row *row;
	int program_fd;
	int company;
	struct bytes frame[LIMITS_CPUS];
};

/* Return: ns a frame; 0 for the other CPU, which keeps the first one company; -1: failed. */
static double meet(void *with, int nth)
{
	const struct meeting *m = with;
	struct bytes out;
	struct bpf_test_run_opts o = {
		.sz = sizeof(o),
		.data_in = m->frame[nth].data,
		.data_size_in = m->frame[nth].size,
		.data_out = out.data,
		.data_size_out = sizeof(out.data),
		.repeat = nth ? LONGER * REPEAT : REPEAT,
	};
	uint64_t start;

	if (m->company && !nth)
		usleep(HEAD_START_US);
	start = limits_cpu_ns();
	if (bpf_prog_test_run_opts(m->program_fd, &o) || o.retval == XDP_ABORTED)
		return -1;
	return nth ? 0 : (double)(limits_cpu_ns() - start) / REPEAT;
}

static void begin_beside(const struct bytes *frame)
{
	const struct headers {
		struct ethernet ethernet;
		struct ipv4 ip;
		struct tcp tcp;
	} __attribute__((packed)) *h = (const void *)frame->data;
	struct limit_key4 key = {
		.src = h->ip.src,
		.dst = h->ip.dst,
		.sport = h->tcp.ports.sport,
		.dport = h->tcp.ports.dport,
		.proto = h->ip.proto,
	};
	struct limit_flow flow = {.words = {0}};

	if (bpf_map_update_elem(bpf_map__fd(beside->maps.bench_flows), &key, &flow, BPF_ANY))
		fail("bench_flows");
}

/* A connection that was not there before. */
static struct bytes begin(const struct row *r, int nth)
{
	static uint16_t port = 1024;
	static uint32_t epoch;
	struct wanted w = r->frame;
	struct bytes frame, first;

	w.tcp_flags = FRAME_ACK;
	if (r->to_client) {
		w.dport = (uint16_t)(SNAT_LOW + nth);
		world_own_port(&world, (uint32_t)nth, LIMIT_OWNER(WEB, ++epoch));
	} else {
		w.sport = port++;
	}
	frame = frame_of(&w);
	if (r->whose == BESIDE) {
		begin_beside(&frame);
		return frame;
	}
	w.tcp_flags = FRAME_SYN;
	first = frame_of(&w);
	world_run(&world, r->interface, &first, 1);
	first = frame;
	if (r->used_up)
		world_run(&world, r->interface, &first, ALL_RUNS);
	return frame;
}

/* Entries that lie side by side share a cache line: the second connection is not the next one. */
static void begin_all(struct meeting *m, int shared)
{
	m->frame[0] = begin(m->row, 0);
	m->frame[1] = m->frame[0];
	if (shared)
		return;
	for (int i = 1; i < SNAT_PORTS; i++)
		m->frame[1] = begin(m->row, i);
}

static int program_of(const struct row *r)
{
	const struct bpf_object *o = r->whose == BESIDE ? beside->obj : world.program;
	const char *name = r->whose == BESIDE ? r->program : "fender_xdp";

	return bpf_program__fd(bpf_object__find_program_by_name(o, name));
}

static uint64_t counted(const struct row *r)
{
	uint32_t row = r->verdict == LIMIT_VERDICT_KERNEL ? r->interface : LIMIT_INTERFACES + WEB;

	return world_counters(&world, row).packets[r->verdict];
}

static double measure(const struct row *r, int threads, int shared)
{
	struct meeting m = {.row = r, .program_fd = program_of(r), .company = threads > 1};
	uint64_t before, expected = threads > 1 ? (1 + LONGER) * REPEAT : REPEAT;
	double ns;

	world_enter(&world, r->interface);
	begin_all(&m, shared);
	before = counted(r);
	ns = limits_measure(meet, &m, threads);
	if (ns < 0)
		fail(r->name);
	/* a few others: of two CPUs one may lose eight swaps */
	if (r->whose == WHOLE_PROGRAM && counted(r) - before < expected / 100 * 99) {
		fprintf(stderr, "bench_limits: %s: only %llu of %llu frames met the verdict\n",
			r->name, (unsigned long long)(counted(r) - before),
			(unsigned long long)expected);
		world_close(&world);
		exit(1);
	}
	return ns;
}

static void measure_row(struct row *r, int round, int cpus)
{
	world.rules[WEB] = r->rules;
	if (r->rules.packets.algorithm)
		world.rules[WEB].directions = LIMIT_TO_ENDPOINT | LIMIT_TO_CLIENT;
	if (r->whose == WHOLE_PROGRAM && world_apply(&world))
		fail(r->name);
	r->ns[0][round] = measure(r, 1, 1);
	if (cpus < LIMITS_CPUS)
		return;
	r->ns[1][round] = measure(r, LIMITS_CPUS, 1);
	r->ns[2][round] = measure(r, LIMITS_CPUS, 0);
}

/* Memory as the kernel counts it (map_mem_usage), and what it is for. */
static void print_memory(const char *name)
{
	int fd = world_map(&world, name);
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	char path[64], line[128];
	unsigned long long bytes = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f || bpf_obj_get_info_by_fd(fd, &info, &size))
		fail(name);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "memlock:", 8) == 0)
			bytes = strtoull(line + 8, NULL, 10);
	(void)fclose(f);
	printf("{\"map\": \"%s\", \"entries\": %u, \"bytes\": %llu}\n", name, info.max_entries,
	       bytes);
}

int main(int argc, char **argv)
{
	static const char *const maps[] = {"connections4", "connections6", "sources"};
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	int rounds = limits_rounds(argc, argv, 1);

	if (!rounds) {
		fprintf(stderr, "usage: bench_limits [1..%d]\n", LIMITS_ROUNDS_MAX);
		return 2;
	}
	world.connections = CONNECTIONS;
	if (world_open(&world) || world_load(&world))
		fail("maps and program");
	world_attach(&world, 1);
	open_beside();
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < ROWS; i++)
			measure_row(&rows[i], round, cpus);
	for (int i = 0; i < ROWS; i++) {
		printf("{\"name\": \"%s\"", rows[i].name);
		limits_print_values("one_cpu", rows[i].ns[0], rounds);
		limits_print_values("shared", rows[i].ns[1], cpus < LIMITS_CPUS ? 0 : rounds);
		limits_print_values("own", rows[i].ns[2], cpus < LIMITS_CPUS ? 0 : rounds);
		printf("}\n");
	}
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		print_memory(maps[i]);
	limit_bench_bpf__destroy(beside);
	world_close(&world);
	return 0;
}
