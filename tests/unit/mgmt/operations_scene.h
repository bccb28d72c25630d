/* SPDX-License-Identifier: BSD-2-Clause */
/* The operations that this_node of asked.h knows. A test includes this once. */
#ifndef WEIR_TESTS_MGMT_OPERATIONS_SCENE_H
#define WEIR_TESTS_MGMT_OPERATIONS_SCENE_H

#include "asked.h"

#include "mgmt/sync/operations_list.h"
#include "mgmt/store/copy.h"

static void open_operations(void)
{
	this_node.operations = calloc(1, sizeof(*this_node.operations));
	assert_non_null(this_node.operations);
	/* what the copy has until now is of no operation */
	assert_int_equal(
	        copy_revision(intent_store(this_node.intent), &this_node.operations->followed), 0);
}

static void close_operations(void)
{
	for (size_t i = 0; i < this_node.operations->n; i++)
		operations_free_item(this_node.operations->items[i]);
	free(this_node.operations);
	this_node.operations = NULL;
}

#endif
