/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as the kept image of zones; and a good image in which some bytes were changed (three bytes each: where, and
 * to what): whatever is damaged is refused, and what is taken has its tables within it.
 */
#include <assert.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dns/zone/image.h"
#include "dns/zone/zone.h"
#include "tests/fuzz/fuzz_text.h"

static const char zone_text[] =
        "$TTL 300\n@ SOA ns1 root 7 3600 900 604800 60\n@ NS ns1\nns1 A 192.0.2.1\n*.w TXT wild\n"
        "c CNAME ns1\nsub NS ns.sub\nns.sub A 192.0.2.30\nmx MX 10 ns1\n";

static void ignore_message(void *arg, const struct zones_message *m)
{
	(void)arg;
	fprintf(stderr, "%s:%u: %s\n", m->file, m->line, m->text);
}

static struct image *make_image(void)
{
	struct image *image = NULL;
	char path[32];
	int fd = memfd_create("zone", MFD_CLOEXEC);

	if (fd < 0 || write(fd, zone_text, sizeof(zone_text) - 1) < 0)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	const struct zone_source zone = { "x", path };
	const struct zone_input in = { .zones = &zone, .n_zones = 1, .source = 1 };

	if (zone_compile(&in, ignore_message, NULL, &image) != 0)
		abort();
	close(fd);
	return image;
}

/* What image_check() promises of an image that it takes; the rest is the checksum's. */
static uint64_t read_tables(const struct image *i)
{
	uint64_t sum = 0;

	for (uint32_t k = 0; k < i->n_zones; k++)
		sum += image_zone(i, k)->state;
	for (uint64_t k = 0; k <= i->bucket_mask; k++)
		sum += ((const struct image_bucket *)image_at(i, i->buckets_off))[k].node_off;
	return sum;
}

static void check_damaged(const struct image *good, const uint8_t *edits, size_t n)
{
	size_t n_bytes = (size_t)good->size_bytes;
	uint8_t *copy = malloc(n_bytes);

	if (!copy)
		abort();
	memcpy(copy, good, n_bytes);
	for (size_t k = 0; k + 3 <= n; k += 3) {
		size_t at = ((size_t)edits[k] << 8 | edits[k + 1]) % n_bytes;

		if (at / 8 != offsetof(struct image, checksum) / 8)
			copy[at] = edits[k + 2];
	}
	assert((image_check(copy, n_bytes) == 0) == (memcmp(copy, good, n_bytes) == 0));
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct image *good;
	uint8_t *copy = malloc(n ? n : 1);

	if (!good)
		good = make_image();
	if (!copy)
		abort();
	if (n)
		memcpy(copy, bytes, n);
	if (image_check(copy, n) == 0)
		assert(read_tables((const struct image *)(const void *)copy) != UINT64_MAX);
	free(copy);
	check_damaged(good, bytes, n);
	return 0;
}
