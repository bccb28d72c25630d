/* SPDX-License-Identifier: BSD-2-Clause */
/* A function of a test's in the place of a library's: the program is linked with --wrap=NAME. */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_WRAP_H
#define WEIR_TESTS_UNIT_DATAPLANE_WRAP_H

#define WRAP(type, name, ...)                                                                      \
	type __wrap_##name(__VA_ARGS__);                                                           \
	type __wrap_##name(__VA_ARGS__)

#endif
