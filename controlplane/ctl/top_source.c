/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/top_source.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/ctl/client.h"

enum {
	ANSWER_MS = 5000, /* after that it counts as away */
	END_S = 1,
};

struct top_source {
	struct client *client; /* the thread's, once it runs */
	int fd;
	long ms;
	int has_thread;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t stop;
	int is_stopping;
	int is_new;
	json_t *answer;
};

/* NULL: none. */
static json_t *ask(struct top_source *s)
{
	struct reply reply;

	if (client_request_quietly(s->client, "GET", "/stats", &reply) != 0 || reply.status != 200)
		return NULL;
	return json_incref(reply.body);
}

static int ask_first(struct top_source *s, json_t **first)
{
	struct reply reply;
	int rc = client_request(s->client, "GET", "/stats", &reply);

	if (rc == 0 && reply.status != 200) {
		fprintf(stderr, "fender top: the instance answered %ld\n", reply.status);
		rc = EXIT_FAILED;
	}
	if (rc == 0)
		*first = json_incref(reply.body);
	return rc;
}

static void init(struct top_source *s)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->stop, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&s->lock, NULL);
}

int top_source_create(struct top_source **out, const struct options *options, json_t **first)
{
	struct top_source *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return EXIT_FAILED;
	rc = client_create(&s->client, options);
	if (rc != 0) {
		free(s);
		return rc;
	}
	init(s);
	s->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	rc = s->fd >= 0 ? ask_first(s, first) : EXIT_FAILED;
	if (rc != 0) {
		top_source_free(s);
		return rc;
	}
	client_set_timeout(s->client, ANSWER_MS);
	*out = s;
	return 0;
}

/* The lock is held. Return 0 when it is time to end. */
static int pause_until_next(struct top_source *s)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += s->ms / 1000;
	until.tv_nsec += s->ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (!s->is_stopping && pthread_cond_timedwait(&s->stop, &s->lock, &until) == 0)
		;
	return !s->is_stopping;
}

static void *run(void *arg)
{
	struct top_source *s = arg;

	pthread_mutex_lock(&s->lock);
	while (pause_until_next(s)) {
		json_t *answer;

		pthread_mutex_unlock(&s->lock);
		answer = ask(s);
		pthread_mutex_lock(&s->lock);
		json_decref(s->answer);
		s->answer = answer;
		s->is_new = 1;
		eventfd_write(s->fd, 1);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

int top_source_start(struct top_source *s, long ms)
{
	sigset_t all, old;
	int rc;

	s->ms = ms;
	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	s->has_thread = rc == 0;
	return -rc;
}

int top_source_fd(const struct top_source *s)
{
	return s->fd;
}

int top_source_take(struct top_source *s, json_t **answer)
{
	eventfd_t count;
	int is_new;

	pthread_mutex_lock(&s->lock);
	eventfd_read(s->fd, &count);
	is_new = s->is_new;
	*answer = s->answer;
	s->answer = NULL;
	s->is_new = 0;
	pthread_mutex_unlock(&s->lock);
	return is_new;
}

/* Return 0 when the thread has ended; one that waits for a hung instance is not waited for. */
static int end_thread(struct top_source *s)
{
	struct timespec until;

	pthread_mutex_lock(&s->lock);
	s->is_stopping = 1;
	pthread_cond_signal(&s->stop);
	pthread_mutex_unlock(&s->lock);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += END_S;
	return pthread_clockjoin_np(s->thread, NULL, CLOCK_MONOTONIC, &until);
}

void top_source_free(struct top_source *s)
{
	if (s->has_thread && end_thread(s) != 0)
		return;
	client_free(s->client);
	json_decref(s->answer);
	if (s->fd >= 0)
		close(s->fd);
	pthread_cond_destroy(&s->stop);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
