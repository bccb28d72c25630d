/* SPDX-License-Identifier: BSD-2-Clause */
/* The operations that this_node of this_node.h knows; no thread runs them. A test includes this once. */
#ifndef WEIR_TESTS_MGMT_NODE_OPERATIONS_H
#define WEIR_TESTS_MGMT_NODE_OPERATIONS_H

#include "this_node.h"

#include "mgmt/store/copy.h"
#include "mgmt/sync/operations_list.h"

static inline void open_operations(void)
{
	this_node.operations = calloc(1, sizeof(*this_node.operations));
	assert_non_null(this_node.operations);
	/* what the copy has until now is of no operation */
	assert_int_equal(
	        copy_revision(intent_store(this_node.intent), &this_node.operations->followed), 0);
}

static inline void forget_operations(void)
{
	while (this_node.operations->n)
		operations_free_item(this_node.operations->items[--this_node.operations->n]);
}

static inline void close_operations(void)
{
	struct operations *o = this_node.operations;

	forget_operations();
	for (size_t i = 0; i < o->n_said; i++) {
		json_decref(o->said[i].levels);
		json_decref(o->said[i].measure);
	}
	free(o);
	this_node.operations = NULL;
}

#endif
