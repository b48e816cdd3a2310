/* SPDX-License-Identifier: Apache-2.0 */
/* What a dataplane keeps in the run directory: its process lock and the FIFO that wakes it. */
#ifndef FENDER_DATAPLANE_RUN_FILES_H
#define FENDER_DATAPLANE_RUN_FILES_H

#include <stddef.h>

/**
 * process_lock_take() - be the one dataplane of an instance
 *
 * Makes the directory (one level) when it is missing. The lock lasts until the descriptor is
 * closed or the process ends, however it ends.
 * Return: descriptor; -EWOULDBLOCK another dataplane runs; -errno. @why says it in a sentence.
 */
int process_lock_take(const char *path, char *why, size_t why_size);

/* The same, once: -EWOULDBLOCK also while the control plane looks whether the lock is held. */
int process_lock_try(const char *path, char *why, size_t why_size);

/*
 * Before there are threads: make room for the FIFO's number. With threads that takes an RCU grace
 * period, several milliseconds of a restart.
 */
void run_files_prepare(void);

/*
 * The FIFO, made when missing. Return: non-blocking descriptor that never reads end of file, higher
 * than all others, so that it is the first to be closed when the process is killed: the control
 * plane sees then that it has no reader.
 */
int wake_fifo_open(const char *path, char *why, size_t why_size);

/* Swallow the bytes that woke us. */
void wake_fifo_drain(int fd);

#endif
