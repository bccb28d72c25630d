/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as an operator's configuration and as an effective document: refused or taken, never
 * worse.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fuzz/fuzz_dir.h"
#include "weir/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static char dir[FUZZ_DIR_MAX];

static void clean_up(void)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/hash.key", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/shop.example.zone", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/effective.conf", dir);
	unlink(path);
	rmdir(dir);
}

static void put_file(const char *name, const void *bytes, size_t n)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	if (!f || fwrite(bytes, 1, n, f) != n || fclose(f) != 0)
		abort();
}

/* What was taken can be written as an effective document, and is taken again. */
static void read_again(const struct model *m)
{
	struct model *back = NULL;
	struct model_errors errors;
	char path[80];

	snprintf(path, sizeof(path), "%s/effective.conf", dir);
	if (model_write_effective(m, path) != 0 ||
	    model_read_effective(path, NULL, &back, &errors) != 0)
		abort();
	model_free(back);
	model_errors_free(&errors);
}

static void check_result(int err, struct model *m, struct model_errors *errors)
{
	if ((err == 0) != (errors->n_total == 0 && m))
		abort();
	if (m)
		read_again(m);
	model_free(m);
	model_errors_free(errors);
}

static void give_effective(const uint8_t *bytes, size_t n)
{
	struct model *m = NULL;
	struct model_errors errors;
	char path[80];

	snprintf(path, sizeof(path), "%s/effective.conf", dir);
	put_file("effective.conf", bytes, n);
	int err = model_read_effective(path, NULL, &m, &errors);
	check_result(err, m, &errors);
}

static int note_name(void *arg, const char *name, bool included)
{
	size_t *n_told = arg;

	if (strlen(name) > MODEL_FILE_NAME_MAX + 1 && !included)
		abort();
	return ++*n_told == 100;
}

static void find_names(const uint8_t *bytes, size_t n)
{
	size_t n_told = 0;

	if (model_named_files((const char *)bytes, n, note_name, &n_told) != (n_told == 100))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static int ready;
	struct model *m = NULL;
	struct model_errors errors;

	if (!ready) {
		fuzz_dir(dir, "/tmp", "fuzz");
		put_file("hash.key", "00112233445566778899aabbccddeeff\n", 33);
		put_file("shop.example.zone", "", 0);
		atexit(clean_up);
		ready = 1;
	}
	int err = model_read_text((const char *)bytes, n, "fuzz", dir, NULL, &m, &errors);
	check_result(err, m, &errors);
	give_effective(bytes, n);
	find_names(bytes, n);
	return 0;
}
