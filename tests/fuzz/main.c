/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A main for fuzz targets without libFuzzer: each file of the named directories goes through the
 * target once and at shorter lengths, then a number of mutations of them drawn from a seed (printed, so that a crash can
 * be had again). The target gets an exact-size heap copy, so that a sanitizer sees a read beyond it.
 *
 *     TARGET [-n MUTATIONS] [-s SEED] DIRECTORY|FILE ...
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUTS_MAX 4096
#define BYTES_MAX  (1u << 20)
/* Inputs up to this size are tried at shorter lengths, up to 256 of them, too. */
#define TRUNCATE_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct input {
	uint8_t *bytes;
	size_t n;
};

static struct input inputs[INPUTS_MAX];
static size_t n_inputs;
static uint64_t state;

static uint32_t draw_below(uint32_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % (n ? n : 1);
}

static void give_input(const uint8_t *bytes, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	if (!copy)
		abort();
	if (n)
		memcpy(copy, bytes, n);
	/* With no bytes, not even one may be read. */
	LLVMFuzzerTestOneInput(n ? copy : copy + 1, n);
	free(copy);
}

static void take_file(const char *path)
{
	FILE *f = fopen(path, "r");
	uint8_t *bytes = malloc(BYTES_MAX);

	if (!f || !bytes) {
		fprintf(stderr, "fuzz: cannot read %s\n", path);
		exit(1);
	}
	if (n_inputs < INPUTS_MAX)
		inputs[n_inputs++] = (struct input){ bytes, fread(bytes, 1, BYTES_MAX, f) };
	else
		free(bytes);
	fclose(f);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void run_file(const char *path)
{
	struct dirent **entries;
	struct stat st;
	char inner[4096];
	int n;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
		take_file(path);
		return;
	}
	n = scandir(path, &entries, NULL, by_name);
	if (n < 0) {
		fprintf(stderr, "fuzz: cannot read %s\n", path);
		exit(1);
	}
	for (int i = 0; i < n; i++) {
		snprintf(inner, sizeof(inner), "%s/%s", path, entries[i]->d_name);
		if (stat(inner, &st) == 0 && S_ISREG(st.st_mode))
			take_file(inner);
		free(entries[i]);
	}
	free(entries);
}

/* Bytes that parsers stumble over, besides any. */
static uint8_t draw_byte(void)
{
	static const uint8_t edges[] = { 0,    1,   0x7f, 0x80, 0xff, '"', '\\',
		                         '\n', '{', '}',  '(',  ',',  '@' };

	return draw_below(2) ? edges[draw_below(sizeof(edges))] : (uint8_t)draw_below(256);
}

/* One small change in place; the buffer has room for twice the input. */
static size_t mutate_input(uint8_t *bytes, size_t n)
{
	size_t at = draw_below((uint32_t)n), most = n - at < 16 ? n - at : 16,
	       m = 1 + draw_below((uint32_t)most);

	if (n == 0)
		return 0;
	switch (draw_below(6)) {
	case 0:
		bytes[at] = draw_byte();
		return n;
	case 1:
		bytes[at] ^= (uint8_t)(1u << draw_below(8));
		return n;
	case 2: /* cut the end off */
		return at;
	case 3: /* take some out */
		m = m < n - at ? m : n - at;
		memmove(bytes + at, bytes + at + m, n - at - m);
		return n - m;
	case 4: /* double some */
		m = m < n - at ? m : n - at;
		memmove(bytes + at + m, bytes + at, n - at);
		return n + m;
	default: { /* from another input */
		const struct input *other = &inputs[draw_below((uint32_t)n_inputs)];
		size_t from = draw_below((uint32_t)other->n);

		m = other->n - from < n - at ? other->n - from : n - at;
		memcpy(bytes + at, other->bytes + from, m);
		return n;
	}
	}
}

static void give_mutation(void)
{
	const struct input *input = &inputs[draw_below((uint32_t)n_inputs)];
	size_t n = input->n, changes = 1 + draw_below(8);
	uint8_t *bytes = malloc(input->n + 16 * 8 + 1);

	if (!bytes)
		abort();
	memcpy(bytes, input->bytes, n);
	for (size_t i = 0; i < changes; i++)
		n = mutate_input(bytes, n);
	give_input(bytes, n);
	free(bytes);
}

int main(int argc, char **argv)
{
	unsigned long n_mutations = 0;
	int option;

	state = 1;
	while ((option = getopt(argc, argv, "n:s:")) != -1) {
		if (option == 'n')
			n_mutations = strtoul(optarg, NULL, 10);
		else if (option == 's')
			state = strtoull(optarg, NULL, 10);
		else
			return 1;
	}
	printf("seed %llu\n", (unsigned long long)state);
	for (; optind < argc; optind++)
		run_file(argv[optind]);
	if (n_inputs == 0) {
		fprintf(stderr, "fuzz: no input\n");
		return 1;
	}
	give_input(NULL, 0);
	for (size_t i = 0; i < n_inputs; i++) {
		give_input(inputs[i].bytes, inputs[i].n);
		for (size_t n = 0; n < inputs[i].n && inputs[i].n <= TRUNCATE_MAX;
		     n += 1 + inputs[i].n / 256)
			give_input(inputs[i].bytes, n);
	}
	for (unsigned long i = 0; i < n_mutations; i++)
		give_mutation();
	printf("%zu inputs, %lu mutations\n", n_inputs, n_mutations);
	for (size_t i = 0; i < n_inputs; i++)
		free(inputs[i].bytes);
	return 0;
}
