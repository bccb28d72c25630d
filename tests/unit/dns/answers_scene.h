/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What threads answer from, without a process: the zone z.test, with the records of a text. And queries for them.
 */
#ifndef WEIR_TESTS_UNIT_DNS_ANSWERS_SCENE_H
#define WEIR_TESTS_UNIT_DNS_ANSWERS_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/generation.h"
#include "dns/serving.h"
#include "dns/zone/image.h"
#include "dns/zone/zone.h"

static struct generation answers_of;
static const char *answers_dynamic; /* a name of z.test; NULL: none */
static struct serving answers_from = { .generation = &answers_of };

static inline void answers_report(void *arg, const struct zones_message *m)
{
	(void)arg;
	fail_msg("%s:%u: %s", m->file, m->line, m->text);
}

static inline void answers_free(void)
{
	free((void *)(uintptr_t)answers_of.image);
	answers_of.image = NULL;
}

/* Answer from the zone with these @p records, instead of what was there before. */
static inline void answers_make(const char *records)
{
	static const char head[] = "$TTL 60\n@ SOA ns root 7 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n";
	int fd = memfd_create("zone", MFD_CLOEXEC);
	char path[32];
	const struct zone_source zone = { "z.test", path };
	const struct zone_input in = { .zones = &zone,
		                       .n_zones = 1,
		                       .dynamic = &answers_dynamic,
		                       .n_dynamic = answers_dynamic != NULL };
	struct image *image = NULL;

	answers_free();
	assert_int_equal(write(fd, head, strlen(head)), strlen(head));
	assert_int_equal(write(fd, records, strlen(records)), strlen(records));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(zone_compile(&in, answers_report, NULL, &image), 0);
	answers_of.image = image;
	close(fd);
}

/* A query with @p id for TXT of x.z.test: so many bytes, with which its answer begins but for flags and counts. */
#define ANSWERS_QUERY 26u
static inline size_t answers_query(uint16_t id, uint8_t out[ANSWERS_QUERY])
{
	static const uint8_t query[ANSWERS_QUERY] = "\0\0\0\0\0\1\0\0\0\0\0\0"
	                                            "\1x\1z\4test\0\0\20\0\1";

	memcpy(out, query, sizeof(query));
	out[0] = (uint8_t)(id >> 8);
	out[1] = (uint8_t)id;
	return ANSWERS_QUERY;
}

/* Let each answer to such a query have @p n bytes. */
static inline void answers_size(size_t n)
{
	static char text[2 * 65536];
	size_t data = n - ANSWERS_QUERY - 12, at = (size_t)sprintf(text, "x TXT");

	while (data > 0) {
		size_t part = data < 256 ? data - 1 : 255;

		at += (size_t)sprintf(text + at, " \"%.*s", (int)part, "");
		memset(text + at, 'm', part);
		at += part;
		text[at++] = '"';
		data -= part + 1;
	}
	strcpy(text + at, "\n");
	answers_make(text);
}

#endif
