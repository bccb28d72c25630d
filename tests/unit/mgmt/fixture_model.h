/* SPDX-License-Identifier: BSD-2-Clause */
/* The model of a configuration that has no errors. */
#ifndef WEIR_TESTS_MGMT_FIXTURE_MODEL_H
#define WEIR_TESTS_MGMT_FIXTURE_MODEL_H

#include "fixture.h"

#include "mgmt/files/gather.h"

/* As @p node has it (NULL: none is this one), given. Its errors are printed, and end the test. @param files  taken */
static inline struct model *fixture_model(const struct fixture *place, struct files *files,
                                          const char *node)
{
	struct model_errors errors = { 0 };
	struct model *m = NULL;
	int err = gather_model(files, place->state, place->conf, node, &m, &errors);

	for (size_t i = 0; i < errors.n_items; i++)
		print_message("  %u: %s: %s\n", errors.items[i].line, errors.items[i].field,
		              errors.items[i].message);
	assert_int_equal(err, 0);
	model_errors_free(&errors);
	files_fini(files);
	return m;
}

#endif
