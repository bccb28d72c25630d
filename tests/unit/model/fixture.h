/* SPDX-License-Identifier: BSD-2-Clause */
/* A directory of its own for a test's documents, and a small configuration to change. */
#ifndef TESTS_MODEL_FIXTURE_H
#define TESTS_MODEL_FIXTURE_H

#include <limits.h>
#include <stddef.h>

#include "weir/model.h"

/* Two sites, a node each, two pools, a service, a name; each in one or few lines. */
extern const char fixture_config[];

/* Make the directory with hash.key and shop.example.zone. For cmocka's setup and teardown. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* "DIR/NAME"; the text holds until the next but seven calls. */
const char *fixture_path(const char *name);
/* Write a file there. */
void fixture_write(const char *name, const void *bytes, size_t n);
void fixture_write_text(const char *name, const char *text);

/* fixture_config with the first @from changed to @to; asserts that it is there. malloc()ed */
char *fixture_edit(const char *text, const char *from, const char *to);

#endif
