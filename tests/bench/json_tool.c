/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What jansson alone takes for a JSON text: json-tool FILE ROUNDS prints the least time of writing it as
 * weir-mgmt does, and of reading it, in microseconds.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t choose_less(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int main(int argc, char **argv)
{
	json_t *value = argc == 3 ? json_load_file(argv[1], 0, NULL) : NULL;
	uint64_t write_ns = UINT64_MAX, read_ns = UINT64_MAX;

	if (!value) {
		fputs("json-tool FILE ROUNDS\n", stderr);
		return 1;
	}
	for (int i = atoi(argv[2]); i > 0; i--) {
		uint64_t begin_ns = now_ns();
		char *text = json_dumps(value, JSON_INDENT(1));
		uint64_t written_ns = now_ns();

		json_decref(json_loads(text ? text : "", 0, NULL));
		write_ns = choose_less(write_ns, written_ns - begin_ns);
		read_ns = choose_less(read_ns, now_ns() - written_ns);
		free(text);
	}
	printf("%.1f %.1f\n", (double)write_ns / 1e3, (double)read_ns / 1e3);
	json_decref(value);
	return 0;
}
