/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes an effective document of a configuration, for labs without weir-mgmt:
 *
 *     lab-effective CONF_DIR/weir.conf NODE STATE_DIR/effective.conf
 */
#include <stdio.h>
#include <string.h>

#include "weir/model.h"

int main(int argc, char **argv)
{
	struct model *m = NULL;
	struct model_errors errors;

	if (argc != 4) {
		fprintf(stderr, "usage: lab-effective CONFIG NODE OUT\n");
		return 1;
	}
	int err = model_read_config(argv[1], argv[2], &m, &errors);

	for (size_t i = 0; i < errors.n_items; i++)
		fprintf(stderr, "%s:%u: %s: %s\n", errors.items[i].file, errors.items[i].line,
		        errors.items[i].field, errors.items[i].message);
	if (!err)
		err = model_write_effective(m, argv[3]);
	if (err)
		fprintf(stderr, "lab-effective: %s\n", strerror(-err));
	model_errors_free(&errors);
	model_free(m);
	return err != 0;
}
