/* SPDX-License-Identifier: Apache-2.0 */
/* What table.c and adopt.c share. */
#ifndef FENDER_DATAPLANE_CONN_TABLE_PARTS_H
#define FENDER_DATAPLANE_CONN_TABLE_PARTS_H

#include "dataplane/conn/table.h"

/* Put an entry on the free list, whatever it holds. */
void table_free_push(struct conn_table *t, struct conn *c);

/*
 * Add the keys of an entry that its state has. Return 0, -EEXIST or -ENOSPC, then none is in the
 * index.
 */
int table_index(struct conn_table *t, const struct conn *c, enum conn_state state);

#endif
