/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names at their limits, as text and in wire form; and the numbers that nodes of several releases, or a release and the files of
 * the one before, must have in common.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dns/zone/image.h"
#include "dns/zone/name.h"
#include "dns/zone/wire.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What a name is in wire form, in hex; NULL: it is none. */
static const struct {
	const char *text, *wire, *again; /* again: as name_text() writes it, NULL: as it was */
} names[] = {
	{ ".", "00", NULL },
	{ "", "00", "." },
	{ "a", "016100", NULL },
	{ "a.", "016100", "a" },
	{ "A.bC",
	  "0161026263"
	  "00",
	  "a.bc" },
	{ "..", NULL, NULL },
	{ ".a", NULL, NULL },
	{ "a..b", NULL, NULL },
	{ "a..", NULL, NULL },
	{ "a\\.b", "03612e6200", NULL },
	{ "a\\\\b", "03615c6200", NULL },
	{ "a\\046b", "03612e6200", "a\\.b" },
	{ "\\097", "016100", "a" },
	{ "\\065", "016100", "a" },
	{ "\\000", "010000", NULL },
	{ "\\255", "01ff00", NULL },
	{ "\\256", NULL, NULL },
	{ "\\300", NULL, NULL },
	{ "\\999", NULL, NULL },
	{ "\\032", "012000", NULL },
	{ "\\033", "012100", "!" },
	{ "\\126", "017e00", "~" },
	{ "\\127", "017f00", NULL },
	{ " ", "012000", "\\032" },
	{ "\\x", "017800", "x" },
	{ "\\", NULL, NULL },
	{ "a\\", NULL, NULL },
	{ "\\1", NULL, NULL },
	{ "\\12", NULL, NULL },
	{ "\\12x", NULL, NULL },
	{ "\\1x2", NULL, NULL },
	{ "@", "014000", NULL },
	{ "*.x", "012a017800", NULL },
	{ "[`{", "035b607b00", NULL },            /* beside A, Z, a and z */
	{ "\303\204", "02c38400", "\\195\\132" }, /* letters of ASCII alone are folded */
};

static void write_hex(const uint8_t *bytes, size_t n, char *out)
{
	*out = '\0';
	for (size_t i = 0; i < n; i++)
		out += sprintf(out, "%02x", bytes[i]);
}

static void a_name_is_read_and_written_as_master_files_have_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		char wire[2 * NAME_WIRE_MAX + 1], text[NAME_TEXT_MAX];
		struct name name;
		int err = name_parse(names[i].text, &name);

		print_message("  \"%s\"\n", names[i].text);
		assert_int_equal(err, names[i].wire ? 0 : -EINVAL);
		if (err)
			continue;
		write_hex(name.lower, name.length, wire);
		assert_string_equal(wire, names[i].wire);
		assert_string_equal(name_text(name.lower, text),
		                    names[i].again ? names[i].again : names[i].text);
	}
}

/* @p n times 'x'. @return behind it */
static char *put_label(char *to, unsigned n)
{
	memset(to, 'x', n);
	to[n] = '\0';
	return to + n;
}

static void labels_have_63_bytes_and_names_255(void **state)
{
	char text[512], *at;
	struct name name;

	(void)state;
	for (unsigned n = 62; n <= 65; n++) {
		put_label(text, n);
		assert_int_equal(name_parse(text, &name), n > 63 ? -EINVAL : 0);
		strcat(text, ".y");
		assert_int_equal(name_parse(text, &name), n > 63 ? -EINVAL : 0);
	}
	for (unsigned n = 59; n <= 63; n++) { /* three labels of 64 bytes, one of n + 1, the root */
		at = text;
		for (unsigned i = 0; i < 3; i++)
			at = stpcpy(put_label(at, 63), ".");
		put_label(at, n);
		assert_int_equal(name_parse(text, &name), n > 61 ? -EINVAL : 0);
		if (n <= 61)
			assert_int_equal(name.length, 3 * 64 + n + 2);
		strcat(text, ".");
		assert_int_equal(name_parse(text, &name), n > 61 ? -EINVAL : 0);
	}
	for (unsigned n = 126; n <= 128; n++) {
		at = text;
		for (unsigned i = 0; i < n; i++)
			at = stpcpy(at, "x.");
		assert_int_equal(name_parse(text, &name), n > 127 ? -EINVAL : 0);
		if (n <= 127) {
			assert_int_equal(name.n_labels, n);
			assert_int_equal(name.at[n - 1], 2 * (n - 1));
		}
	}
}

/* Bytes of a message: they end where they end. */
static void wire_is_read_to_its_end_and_no_further(void **state)
{
	static const struct {
		const char *bytes;
		size_t length, at, used; /* 0: it is none */
		unsigned labels;
	} cases[] = {
		{ "\0", 1, 0, 1, 0 },           { "\1a\0", 3, 0, 3, 1 },
		{ "\1a\0", 2, 0, 0, 0 },        { "\1a\0", 1, 0, 0, 0 },
		{ "\1a\0", 0, 0, 0, 0 },        { "\2a\0", 3, 0, 0, 0 },
		{ "\1a\1b\0more", 9, 0, 5, 2 }, { "\1a\1b\0more", 9, 2, 3, 1 },
		{ "\1a\1b\0more", 9, 4, 1, 0 }, { "\100a\0", 3, 0, 0, 0 },
		{ "\300\0\0", 3, 0, 0, 0 }, /* a pointer */
		{ "\200a\0", 3, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t *exact = malloc(cases[i].length + 1);
		struct wire_reader r = { .start = exact,
			                 .length = cases[i].length,
			                 .at = cases[i].at };
		struct name name;

		memcpy(exact, cases[i].bytes, cases[i].length);
		assert_int_equal(name_read(&r, &name), cases[i].used != 0);
		assert_int_equal(r.at, cases[i].at + cases[i].used);
		if (cases[i].used) {
			assert_int_equal(name.length, cases[i].used);
			assert_int_equal(name.n_labels, cases[i].labels);
		}
		r = (struct wire_reader){ .start = exact, .length = 3, .failed = true };
		assert_false(name_read(&r, &name));
		free(exact);
	}
}

/* 64 + 64 + 64 + 62 and the root are 255 bytes; with one more it is no name, however many follow. */
static void wire_names_end_at_255_bytes(void **state)
{
	(void)state;
	for (unsigned last = 60; last <= 63; last++) {
		uint8_t wire[300] = { 0 };
		struct wire_reader r = { .start = wire, .length = sizeof(wire) };
		struct name name;

		for (unsigned i = 0; i < 3; i++)
			memset(wire + 64 * i, 63, 64);
		memset(wire + 192, (int)last, last + 1);
		assert_int_equal(name_read(&r, &name), last <= 61);
	}
}

/* A label's length has six bits; with one more it is another kind, however many bytes follow. */
static void wire_labels_end_at_63_bytes(void **state)
{
	(void)state;
	for (unsigned length = 1; length <= 255; length++) {
		uint8_t wire[300] = { 0 };
		struct wire_reader r = { .start = wire, .length = sizeof(wire) };
		struct name name;

		memset(wire, 'a', length + 1);
		wire[0] = (uint8_t)length;
		assert_int_equal(name_read(&r, &name), length <= 63);
	}
}

/* Each byte is folded by itself, wherever it stands and whatever stands beside it. */
static void bytes_of_a_name_are_folded_one_by_one(void **state)
{
	static const uint8_t beside[] = { 'Z', 'z', 0, 0x7f, 0x80, 0xff };

	(void)state;
	for (unsigned at = 1; at <= 20; at++)
		for (unsigned value = 0; value < 256 * COUNT(beside); value++) {
			uint8_t wire[22] = { 20 };
			struct wire_reader r = { .start = wire, .length = sizeof(wire) };
			struct name name;

			memset(wire + 1, beside[value / 256], 20);
			wire[at] = (uint8_t)value;
			assert_true(name_read(&r, &name));
			assert_int_equal(name.length, sizeof(wire));
			for (unsigned i = 0; i < sizeof(wire); i++)
				assert_int_equal(name.lower[i], name_fold(wire[i]));
		}
}

/* Each byte of a label counts, and its length. */
static void labels_that_differ_have_other_hashes(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 63; n++) {
		uint8_t label[72] = { (uint8_t)n }, other[72];
		uint64_t hash;

		for (unsigned i = 1; i <= n; i++)
			label[i] = (uint8_t)('a' + i % 26);
		hash = name_hash_label(5, label);
		assert_true(hash != name_hash_label(6, label));
		for (unsigned i = 1; i <= n; i++) {
			memcpy(other, label, sizeof(other));
			other[i] ^= 1;
			assert_true(hash != name_hash_label(5, other));
		}
		memcpy(other, label, sizeof(other));
		other[n + 1] ^= 1; /* what is behind does not */
		assert_true(hash == name_hash_label(5, other));
	}
}

static uint64_t hash_of(const char *text)
{
	uint64_t hash = NAME_HASH_ROOT;
	struct name name;

	assert_int_equal(name_parse(text, &name), 0);
	for (unsigned i = name.n_labels; i--;)
		hash = name_hash_label(hash, name.lower + name.at[i]);
	return hash;
}

/* A kept image is read by them, also by the release before or after, which know it by its layout. */
static void hashes_of_an_image_are_those_of_its_layout(void **state)
{
	static struct image image;
	struct image *i = &image;

	(void)state;
	assert_int_equal(IMAGE_LAYOUT, 1); /* with another layout come other numbers */
	memset(i, 0, sizeof(*i));
	memcpy(i->magic, IMAGE_MAGIC, sizeof(i->magic));
	i->layout = IMAGE_LAYOUT;
	i->size_bytes = sizeof(*i);
	i->n_names = 7;
	assert_true(hash_of("a") == 0x44dfe37ae53bda7eu);
	assert_true(hash_of("www.shop.test") == 0xe098e32dd2ba5e77u);
	assert_true(hash_of("sevenxx.eightxxx.ninexxxxx") == 0x2089daca43772812u);
	assert_true(image_checksum(i) == 0x96471c1b14372383u);
	i->checksum = 1; /* is not part of it */
	assert_true(image_checksum(i) == 0x96471c1b14372383u);
	for (size_t at = 0; at < sizeof(*i); at++) {
		uint8_t *byte = (uint8_t *)i + at;

		if (at / 8 == offsetof(struct image, size_bytes) / 8)
			continue; /* says how much is read */
		*byte ^= 0x80;
		assert_true((image_checksum(i) == 0x96471c1b14372383u) ==
		            (at / 8 == offsetof(struct image, checksum) / 8));
		*byte ^= 0x80;
	}
}

SUITE(name)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_read_and_written_as_master_files_have_it),
		cmocka_unit_test(labels_have_63_bytes_and_names_255),
		cmocka_unit_test(wire_is_read_to_its_end_and_no_further),
		cmocka_unit_test(wire_names_end_at_255_bytes),
		cmocka_unit_test(wire_labels_end_at_63_bytes),
		cmocka_unit_test(bytes_of_a_name_are_folded_one_by_one),
		cmocka_unit_test(labels_that_differ_have_other_hashes),
		cmocka_unit_test(hashes_of_an_image_are_those_of_its_layout),
	};

	return cmocka_run_group_tests_name("dns name", tests, NULL, NULL);
}
