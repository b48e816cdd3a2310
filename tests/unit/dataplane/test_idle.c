/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/idle.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/clock.h"
#include "dataplane/port.h"
#include "tests/unit/dataplane/suite.h"

static struct ports ports;

/* Two interfaces with two queues and one; the descriptors stand for AF_XDP sockets. */
static void ports_make(void)
{
	memset(&ports, 0, sizeof(ports));
	memset(ports.port[0].queue_fd, 0xff, sizeof(ports.port[0].queue_fd));
	memset(ports.port[1].queue_fd, 0xff, sizeof(ports.port[1].queue_fd));
	ports.count = 2;
	ports.port[0].queues = 2;
	ports.port[1].queues = 1;
	ports.port[0].queue_fd[0] = eventfd(0, EFD_NONBLOCK);
	ports.port[0].queue_fd[1] = eventfd(0, EFD_NONBLOCK);
	ports.port[1].queue_fd[0] = eventfd(0, EFD_NONBLOCK);
}

static void ports_drop(void)
{
	close(ports.port[0].queue_fd[0]);
	close(ports.port[0].queue_fd[1]);
	close(ports.port[1].queue_fd[0]);
}

static void make_readable(int fd)
{
	const uint64_t one = 1;

	CU_ASSERT_EQUAL(write(fd, &one, sizeof(one)), (ssize_t)sizeof(one));
}

/* Would a sleep end at once? */
static int would_wake(const struct idle *idle)
{
	struct epoll_event event;

	return epoll_wait(idle->epoll_fd, &event, 1, 0) > 0;
}

static void sleeps_only_when_every_queue_can_wake(void)
{
	struct idle idle;

	ports_make();
	CU_ASSERT_EQUAL(idle_init(&idle, &ports, 0, 0, 50), 0);
	CU_ASSERT_TRUE(idle.can_sleep);
	CU_ASSERT_EQUAL(idle.spin_ns, 50000);
	idle_close(&idle);
	CU_ASSERT_EQUAL(idle_init(&idle, &ports, 0, 1, 50), 0);
	CU_ASSERT_FALSE(idle.can_sleep);
	idle_close(&idle);
	close(ports.port[1].queue_fd[0]);
	ports.port[1].queue_fd[0] = -1;
	CU_ASSERT_EQUAL(idle_init(&idle, &ports, 0, 0, 50), 0);
	CU_ASSERT_FALSE(idle.can_sleep);
	idle_close(&idle);
	CU_ASSERT_EQUAL(idle_init(&idle, &ports, 1, 0, 50), 0);
	CU_ASSERT_TRUE(idle.can_sleep); /* the queue without a descriptor is another worker's */
	idle_close(&idle);
	ports_drop();
}

static void only_its_own_queues_wake_a_worker(void)
{
	struct idle first, second;

	ports_make();
	CU_ASSERT_EQUAL(idle_init(&first, &ports, 0, 0, 0), 0);
	CU_ASSERT_EQUAL(idle_init(&second, &ports, 1, 0, 0), 0);
	make_readable(ports.port[0].queue_fd[1]);
	CU_ASSERT_FALSE(would_wake(&first));
	CU_ASSERT_TRUE(would_wake(&second));
	make_readable(ports.port[1].queue_fd[0]);
	CU_ASSERT_TRUE(would_wake(&first));
	idle_arm(&first);
	idle_sleep(&first, 0, UINT64_MAX);
	CU_ASSERT_FALSE(first.sleeping);
	idle_close(&first);
	idle_close(&second);
	ports_drop();
}

static void a_wake_is_for_sleepers_and_counts_once(void)
{
	struct idle idle;

	CU_ASSERT_EQUAL(idle_init(&idle, NULL, 0, 0, 0), 0);
	idle_wake(&idle);
	CU_ASSERT_FALSE(would_wake(&idle)); /* awake: it looks by itself */
	idle_arm(&idle);
	idle_wake(&idle);
	idle_wake(&idle);
	CU_ASSERT_TRUE(would_wake(&idle));
	idle_sleep(&idle, 0, UINT64_MAX);
	CU_ASSERT_FALSE(would_wake(&idle));
	idle_arm(&idle);
	idle_disarm(&idle);
	idle_wake(&idle);
	CU_ASSERT_FALSE(would_wake(&idle));
	idle_close(&idle);
}

static void a_deadline_in_the_past_does_not_sleep(void)
{
	struct idle idle;
	uint64_t before = clock_ns();

	CU_ASSERT_EQUAL(idle_init(&idle, NULL, 0, 0, 0), 0);
	for (int i = 0; i < 1000; i++) {
		idle_arm(&idle);
		idle_sleep(&idle, 1000, i % 2 ? 1000 : 0);
		CU_ASSERT_FALSE(idle.sleeping);
	}
	/* A thousand sleeps of the longest kind would take 100 s. */
	CU_ASSERT(clock_ns() - before < 50 * IDLE_MAX_SLEEP_NS);
	idle_close(&idle);
}

static void no_sleep_is_longer_than_the_heartbeat(void)
{
	struct idle idle;
	uint64_t before = clock_ns();

	CU_ASSERT_EQUAL(idle_init(&idle, NULL, 0, 0, 0), 0);
	idle_arm(&idle);
	idle_sleep(&idle, before, UINT64_MAX);
	CU_ASSERT(clock_ns() - before >= IDLE_MAX_SLEEP_NS);
	CU_ASSERT_FALSE(idle.sleeping);
	idle_close(&idle);
}

/* A vanished device reports an error for ever: the worker must not spin on it. */
static void a_dead_queue_wakes_once(void)
{
	struct idle idle;
	int pair[2];

	ports_make();
	close(ports.port[0].queue_fd[0]);
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ports.port[0].queue_fd[0] = pair[0];
	CU_ASSERT_EQUAL(idle_init(&idle, &ports, 0, 0, 0), 0);
	close(pair[1]);
	CU_ASSERT_TRUE(would_wake(&idle));
	idle_arm(&idle);
	idle_sleep(&idle, 0, UINT64_MAX);
	CU_ASSERT_FALSE(would_wake(&idle));
	make_readable(ports.port[1].queue_fd[0]);
	CU_ASSERT_TRUE(would_wake(&idle)); /* the others still do */
	idle_close(&idle);
	ports_drop();
}

enum { PRODUCERS = 2, ITEMS = 10000, LOST_MAX = 10 };

static struct idle shared;
static uint64_t produced;
static uint64_t consumed;

static void *produce(void *arg)
{
	for (int i = 0; i < ITEMS; i++) {
		__atomic_add_fetch(&produced, 1, __ATOMIC_RELEASE);
		idle_wake(&shared);
		/* In step with the consumer, so that it sleeps again and again. */
		while (__atomic_load_n(&produced, __ATOMIC_ACQUIRE) -
			       __atomic_load_n(&consumed, __ATOMIC_ACQUIRE) >
		       1)
			sched_yield();
	}
	return arg;
}

/* Return 1 when there was something. */
static int consume(void)
{
	uint64_t n = __atomic_load_n(&produced, __ATOMIC_ACQUIRE);

	if (n == consumed)
		return 0;
	__atomic_store_n(&consumed, n, __ATOMIC_RELEASE);
	return 1;
}

/* The protocol loses no wake-up: a lost one shows as a full sleep with something to do. */
static void armed_worker_misses_no_item(void)
{
	pthread_t threads[PRODUCERS];
	uint32_t lost = 0;

	CU_ASSERT_EQUAL(idle_init(&shared, NULL, 0, 0, 0), 0);
	for (int i = 0; i < PRODUCERS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, produce, NULL), 0);
	while (consumed < (uint64_t)PRODUCERS * ITEMS && lost <= LOST_MAX) {
		uint64_t before;

		if (consume())
			continue;
		idle_arm(&shared);
		if (consume()) {
			idle_disarm(&shared);
			continue;
		}
		before = clock_ns();
		idle_sleep(&shared, before, UINT64_MAX);
		lost += clock_ns() - before >= IDLE_MAX_SLEEP_NS &&
			__atomic_load_n(&produced, __ATOMIC_ACQUIRE) != consumed;
	}
	/* A producer that the system did not run for so long can look like one. */
	CU_ASSERT(lost <= LOST_MAX);
	while (consumed < (uint64_t)PRODUCERS * ITEMS)
		consume();
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	idle_close(&shared);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(sleeps_only_when_every_queue_can_wake),
		SUITE_TEST(only_its_own_queues_wake_a_worker),
		SUITE_TEST(a_wake_is_for_sleepers_and_counts_once),
		SUITE_TEST(a_deadline_in_the_past_does_not_sleep),
		SUITE_TEST(no_sleep_is_longer_than_the_heartbeat),
		SUITE_TEST(a_dead_queue_wakes_once),
		SUITE_TEST(armed_worker_misses_no_item),
		CU_TEST_INFO_NULL,
	};

	return suite_run("idle", tests);
}
