/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/idle.h"

#include "dataplane/port.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = MAX_INTERFACES + 1 };

static int watch(const struct idle *idle, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(idle->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static int watch_queues(struct idle *idle, const struct ports *ports, uint32_t queue)
{
	for (uint32_t i = 0; i < ports->count; i++) {
		const struct port *port = &ports->port[i];
		int rc;

		if (queue >= port->queues)
			continue;
		if (port->queue_fd[queue] < 0) {
			idle->can_sleep = 0;
			continue;
		}
		rc = watch(idle, port->queue_fd[queue]);
		if (rc)
			return rc;
	}
	return 0;
}

int idle_init(struct idle *idle, const struct ports *ports, uint32_t queue, int poll,
	      uint32_t spin_us)
{
	int rc;

	*idle = (struct idle){
		.epoll_fd = -1, .can_sleep = !poll, .spin_ns = (uint64_t)spin_us * 1000};
	idle->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (idle->event_fd < 0)
		return -errno;
	idle->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	rc = idle->epoll_fd < 0 ? -errno : watch(idle, idle->event_fd);
	if (rc == 0 && ports)
		rc = watch_queues(idle, ports, queue);
	if (rc)
		idle_close(idle);
	return rc;
}

void idle_close(struct idle *idle)
{
	if (idle->epoll_fd >= 0)
		close(idle->epoll_fd);
	if (idle->event_fd >= 0)
		close(idle->event_fd);
	idle->epoll_fd = idle->event_fd = -1;
}

void idle_arm(struct idle *idle)
{
	/* The store before the rings are looked at again; pairs with the fence of idle_wake(). */
	__atomic_store_n(&idle->sleeping, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void idle_disarm(struct idle *idle)
{
	__atomic_store_n(&idle->sleeping, 0, __ATOMIC_RELAXED);
}

static int wait_ns(const struct idle *idle, struct epoll_event *events, uint64_t ns)
{
	const struct timespec timeout = {.tv_sec = (time_t)(ns / 1000000000),
					 .tv_nsec = (long)(ns % 1000000000)};
	int n = epoll_pwait2(idle->epoll_fd, events, EVENTS, &timeout, NULL);

	if (n < 0 && errno == ENOSYS) /* before Linux 5.11: never longer than asked */
		n = epoll_wait(idle->epoll_fd, events, EVENTS, (int)(ns / 1000000));
	return n;
}

void idle_sleep(struct idle *idle, uint64_t now_ns, uint64_t until_ns)
{
	struct epoll_event events[EVENTS];
	uint64_t ns = until_ns > now_ns ? until_ns - now_ns : 0, count;
	int n;

	if (ns > IDLE_MAX_SLEEP_NS)
		ns = IDLE_MAX_SLEEP_NS;
	n = ns == 0 ? 0 : wait_ns(idle, events, ns);
	idle_disarm(idle);
	for (int i = 0; i < n; i++) {
		if (events[i].data.fd == idle->event_fd)
			(void)!read(idle->event_fd, &count, sizeof(count));
		else if (events[i].events & (EPOLLERR | EPOLLHUP)) /* would never stop waking */
			epoll_ctl(idle->epoll_fd, EPOLL_CTL_DEL, events[i].data.fd, NULL);
	}
}

void idle_wake(struct idle *idle)
{
	const uint64_t one = 1;

	/* The caller's item before the load; pairs with the store of idle_arm(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&idle->sleeping, __ATOMIC_RELAXED) &&
	    __atomic_exchange_n(&idle->sleeping, 0, __ATOMIC_RELAXED))
		(void)!write(idle->event_fd, &one, sizeof(one));
}
