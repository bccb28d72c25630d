/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel refuses, and how often it is asked: the requests of Weir's that pass libmnl. */
#ifndef WEIR_TESTS_UNIT_ANNOUNCE_OWN_KERNEL_H
#define WEIR_TESTS_UNIT_ANNOUNCE_OWN_KERNEL_H

#include <stdbool.h>

struct own_kernel {
	int list_error, change_error,
	        add_error;               /* -errno, for routes; change: adding and deleting */
	int program_error;               /* of questions about a port's program */
	bool has_program;                /* each port that is asked about carries one */
	bool is_looked_at;               /* by the test itself: nothing fails, or counts */
	unsigned adds, deletes, changes; /* routes: tries; what went well */
};

extern struct own_kernel own_kernel;

/** From now on the suite has this kernel. */
void own_kernel_begin(void);

#endif
