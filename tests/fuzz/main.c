/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a fuzz target over the files of its corpus, named files or directories,
 * and over every beginning of each of the first few, as an ordinary test.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX ((size_t)1 << 20)
#define TRUNCATE_MAX                                                                               \
	((size_t)4096) /* inputs up to this size are tried at each shorter length too */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t n_files;

static void run_copy(const uint8_t *data, size_t size)
{
	/* Exactly as large as the input, so that a sanitizer sees the first byte beyond it. */
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static int run_file(const char *path)
{
	static uint8_t data[INPUT_MAX];
	FILE *f = fopen(path, "rb");

	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	size_t size = fread(data, 1, sizeof(data), f);

	fclose(f);
	run_copy(data, size);
	for (size_t n = 0; size <= TRUNCATE_MAX && n < size; n += 1 + size / 256)
		run_copy(data, n);
	n_files++;
	return 0;
}

static int run_path(const char *path)
{
	struct stat st;
	DIR *d = stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? opendir(path) : NULL;
	int failed = 0;

	if (!d)
		return run_file(path);
	for (struct dirent *e; (e = readdir(d));) {
		char below[4096];

		if (e->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
		failed |= run_file(below);
	}
	closedir(d);
	return failed;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
		failed |= run_path(argv[i]);
	/* An empty corpus tests nothing, so it fails. */
	printf("%zu passed, %d failed\n", n_files, failed || !n_files);
	return failed || !n_files;
}
