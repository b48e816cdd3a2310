/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publish and adopt, stopped behind each of their instructions (ptrace) while the other side goes
 * on: what random kills and threads hit only by luck.
 */
#include "shm/publish.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "tests/unit/shm/children.h"
#include "tests/unit/shm/sample_image.h"
#include "tests/unit/shm/suite.h"

/* Sanitizers multiply instructions; they look at fewer of the same points. */
#if defined(__SANITIZE_THREAD__)
enum { WRITER_STOPS = 400009, WRITER_LOOKS = 1009, READER_STOPS = 4001 };
#elif defined(__SANITIZE_ADDRESS__)
enum { WRITER_STOPS = 100003, WRITER_LOOKS = 61, READER_STOPS = 11 };
#else
enum { WRITER_STOPS = 9001, WRITER_LOOKS = 1, READER_STOPS = 1 };
#endif
enum { EXIT_OK, EXIT_WRONG, EXIT_NO_PTRACE, EXIT_STALE };

static struct region region;
static struct sample *theirs; /* published by the child */
static struct sample *ours;

static void start(void)
{
	uint64_t generation;

	theirs = sample_make(SAMPLE_MAGLEV, 77);
	ours = sample_make(SAMPLE_MAGLEV + 1, 99);
	small_region(&region, "step");
	publisher_begin(&region);
	CU_ASSERT_EQUAL_FATAL(publish(&region, &ours->header, 0, &generation), 0);
}

static void end(void)
{
	free(theirs);
	free(ours);
	region_close(&region);
}

static uint64_t publish_ours(void)
{
	uint64_t generation = 0;

	CU_ASSERT_EQUAL(publish(&region, &ours->header, 0, &generation), 0);
	return generation;
}

/* In the child: wait for the tracer. */
static void stop_here(void)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(EXIT_NO_PTRACE);
	raise(SIGSTOP);
}

static void publishing_child(uint32_t unused)
{
	uint64_t generation;

	(void)unused;
	stop_here();
	if (publish(&region, &theirs->header, 0, &generation) == -ESTALE)
		_exit(EXIT_STALE);
}

static void adopting_child(uint32_t unused)
{
	(void)unused;
	/* Once before, so that the dynamic linker has nothing left to do. */
	if (!adopt_whole(&region))
		_exit(EXIT_WRONG);
	stop_here();
	if (!adopt_whole(&region))
		_exit(EXIT_WRONG);
}

/* Start @body and see it stop; 0 when it cannot be traced. */
static pid_t traced_child(void (*body)(uint32_t))
{
	pid_t child = start_child(body, 0);
	int status = 0;

	CU_ASSERT_EQUAL_FATAL(waitpid(child, &status, 0), child);
	if (WIFSTOPPED(status))
		return child;
	CU_ASSERT_EQUAL(WEXITSTATUS(status), EXIT_NO_PTRACE);
	printf("skipped: ptrace is not permitted ");
	return 0;
}

/* One instruction; false when the child has ended, *status says how. */
static int step(pid_t child, int *status)
{
	return ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0 &&
	       waitpid(child, status, 0) == child && WIFSTOPPED(*status);
}

/* Let it run to its end; its exit code. */
static int finish(pid_t child)
{
	int status = 0;

	ptrace(PTRACE_CONT, child, NULL, NULL);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void every_instruction_of_a_publish_leaves_a_whole_generation(void)
{
	unsigned long steps = 0;
	uint64_t last = 1;
	int status = 0;
	pid_t child;

	start();
	child = traced_child(publishing_child);
	while (child && step(child, &status)) {
		uint64_t generation;

		if (steps++ % WRITER_LOOKS)
			continue;
		generation = adopt_whole(&region);
		if (generation < last || generation > 2)
			CU_FAIL_FATAL("neither the old nor the new generation");
		last = generation;
	}
	if (child) {
		CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK);
		CU_ASSERT_EQUAL(adopt_whole(&region), 2);
		CU_ASSERT(steps > 1000);
		printf("%lu instructions ", steps);
	}
	end();
}

/* Stopped somewhere in publish(), another writer takes over, the first one goes on. */
static void a_writer_that_outlived_its_turn_changes_nothing(void)
{
	unsigned int stops = 0, stale = 0;
	int ended = 0;

	start();
	for (unsigned long stop = 1; !ended; stop += WRITER_STOPS) {
		uint64_t before = active(&region);
		pid_t child = traced_child(publishing_child);
		int status, was_published, code;

		if (!child)
			break;
		for (unsigned long i = 0; i < stop && !ended; i++)
			ended = !step(child, &status);
		if (ended)
			break;
		was_published = active(&region) != before;
		publisher_begin(&region);
		publish_ours();
		before = active(&region);
		code = finish(child);
		CU_ASSERT_EQUAL(active(&region), before);
		CU_ASSERT(was_published || code == EXIT_STALE);
		stale += code == EXIT_STALE;
		stops++;
		/* It may have written into the slot that is active now: the next one is whole. */
		CU_ASSERT_EQUAL(publish_ours(), adopt_whole(&region));
	}
	CU_ASSERT(stops == 0 || stale > 0);
	end();
}

/* Run the reader @stop instructions far; true when it has marked a slot and cleared it again. */
static int run_reader(pid_t child, unsigned long stop)
{
	int marked = 0, status;

	for (unsigned long i = 0; i < stop; i++) {
		uint64_t reading;

		CU_ASSERT_FATAL(step(child, &status));
		reading = __atomic_load_n(&region.header->reading, __ATOMIC_SEQ_CST);
		marked |= reading != 0;
		if (marked && reading == 0)
			return 1;
	}
	return 0;
}

/*
 * Stopped behind each instruction up to the end of its copy, while three generations go by:
 * enough to use every slot again. The time grows with the square of what is copied: a bare image.
 */
static void a_reader_overtaken_at_any_instruction_adopts_a_whole_generation(void)
{
	unsigned long stop = 0;
	int copied = 0;

	start();
	free(ours);
	ours = sample_bare(99);
	publish_ours();
	while (!copied) {
		pid_t child = traced_child(adopting_child);

		if (!child)
			break;
		copied = run_reader(child, stop += READER_STOPS);
		for (unsigned int i = 0; i < 3 && !copied; i++)
			publish_ours();
		CU_ASSERT_EQUAL_FATAL(finish(child), EXIT_OK);
	}
	printf("%lu instructions ", stop);
	end();
}

static const struct test tests[] = {
	TEST(every_instruction_of_a_publish_leaves_a_whole_generation),
	TEST(a_writer_that_outlived_its_turn_changes_nothing),
	TEST(a_reader_overtaken_at_any_instruction_adopts_a_whole_generation),
};

int main(void)
{
	return suite_run("publish_step", tests, sizeof(tests) / sizeof(tests[0]));
}
