/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of a version: which names and sizes are taken, how they are laid out, and what a
 * configuration names.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/proc.h"
#include "mgmt/files/gather.h"
#include "mgmt/files/includes.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The documented values, not the code's own: a change of those is seen. */
#define NAME_MOST  200
#define SLURP_MOST (16 << 20)
#define SMALL_MOST (64 << 10)
#define FILES_MOST 32768
#define BYTES_MOST ((size_t)4 << 30)

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	fixture_make(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_remove(*state);
	free(*state);
	return 0;
}

static const char *path_in(const char *dir, const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, PATH_MAX, "%s/%s", dir, name);
	return path;
}

/* A file of @p n zeros that takes no room. */
static void make_hole(const char *dir, const char *name, off_t n)
{
	int fd = open(path_in(dir, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, n), 0);
	close(fd);
}

static void names_stay_below_their_directory(void **state)
{
	static const struct {
		const char *name;
		bool ok;
	} rows[] = {
		{ "weir.conf", true }, { "zones/a.zone", true },
		{ "a/b/c", true },     { "A-Z_0.9", true },
		{ "", false },         { "/", false },
		{ "/etc/x", false },   { "a/", false },
		{ "a//b", false },     { ".", false },
		{ "..", false },       { "../a", false },
		{ "a/../b", false },   { "a/.hidden", false },
		{ ".x", false },       { "a b", false },
		{ "a\nb", false },     { "\xc3\xa4", false },
		{ "a.", true },        { "a..b", true },
		{ "a:b", false },      { "a@", false },
		{ "a`", false },       { "a{", false },
		{ "a[", false },
	};
	char name[NAME_MOST + 2];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (model_file_name_ok(rows[i].name) != rows[i].ok)
			fail_msg("\"%s\"", rows[i].name);
	memset(name, 'x', sizeof(name));
	name[NAME_MOST] = '\0';
	assert_true(model_file_name_ok(name));
	name[NAME_MOST] = 'x';
	name[NAME_MOST + 1] = '\0';
	assert_false(model_file_name_ok(name));
}

/* Each limit is reached exactly, and a file that is exchanged counts once. */
static void limits_of_a_version_are_exact(void **state)
{
	char digest[DIGEST_TEXT_MAX], name[32];
	struct files f = { 0 };

	(void)state;
	digest_bytes("x", 1, digest);
	assert_int_equal(files_add_path(&f, "half", "/x", digest, BYTES_MOST / 2), 0);
	assert_int_equal(files_add_path(&f, "half", "/x", digest, 1), -EEXIST);
	assert_int_equal(files_add_path(&f, "more", "/x", digest, BYTES_MOST / 2 + 1), -E2BIG);
	assert_int_equal(files_add_path(&f, "more", "/x", digest, BYTES_MOST / 2), 0);
	assert_int_equal(files_add(&f, "y", "y", 1), -E2BIG);
	assert_int_equal(files_add(&f, "empty", "", 0), 0);
	const struct files_item small = { .path = (char[]){ "/y" }, .n_bytes = 10 };

	for (int i = 0; i < 3; i++)
		assert_int_equal(files_put(&f, "half", &small), 0);
	assert_int_equal(f.n_items, 3);
	assert_int_equal(f.n_bytes, BYTES_MOST / 2 + 10);
	assert_int_equal(files_add_path(&f, "rest", "/x", digest, BYTES_MOST / 2 - 9), -E2BIG);
	assert_int_equal(files_add_path(&f, "rest", "/x", digest, BYTES_MOST / 2 - 10), 0);
	files_fini(&f);
	for (int i = 0; i < FILES_MOST; i++) {
		snprintf(name, sizeof(name), "z%08d", i);
		assert_int_equal(files_add(&f, name, "", 0), 0);
	}
	assert_int_equal(files_add(&f, "a", "", 0), -E2BIG);
	assert_int_equal(files_put(&f, "z00000005", &small), 0); /* in the place of one */
	assert_int_equal(f.n_items, FILES_MOST);
	files_fini(&f);
}

/* As `sha256sum FILES | sha256sum` has it, whatever came first. */
static void the_digest_is_of_names_and_contents(void **state)
{
	static const char *const names[] = { "b", "a", "c/d" };
	char one[DIGEST_TEXT_MAX], other[DIGEST_TEXT_MAX], manifest[512], each[DIGEST_TEXT_MAX];
	struct files f = { 0 }, g = { 0 }, copy;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(files_add(&f, names[i], names[i], strlen(names[i])), 0);
		assert_int_equal(files_add(&g, names[2 - i], names[2 - i], strlen(names[2 - i])),
		                 0);
	}
	assert_string_equal(files_digest(&f, one), files_digest(&g, other));
	snprintf(manifest, sizeof(manifest), "%s  a\n", digest_bytes("a", 1, each));
	snprintf(manifest + strlen(manifest), 200, "%s  b\n", digest_bytes("b", 1, each));
	snprintf(manifest + strlen(manifest), 200, "%s  c/d\n", digest_bytes("c/d", 3, each));
	assert_string_equal(one, digest_bytes(manifest, strlen(manifest), other));
	assert_int_equal(files_copy(&copy, &f), 0);
	assert_string_equal(files_digest(&copy, other), one);
	assert_int_equal(copy.n_bytes, 5);
	assert_null(files_find(&copy, "c"));
	assert_null(files_find(&copy, "zz"));
	assert_string_equal(files_find(&copy, "c/d")->bytes, "c/d");
	assert_int_equal(files_put(&copy, "b", files_find(&f, "a")), 0);
	assert_string_not_equal(files_digest(&copy, other), one);
	files_fini(&f);
	files_fini(&g);
	files_fini(&copy);
}

static void what_is_read_is_a_regular_file_up_to_its_limit(void **state)
{
	const struct fixture *x = *state;
	char *bytes = NULL, digest[DIGEST_TEXT_MAX];
	struct files f = { 0 };
	size_t n;

	make_hole(x->conf, "slurp", SLURP_MOST);
	assert_int_equal(files_slurp(path_in(x->conf, "slurp"), &bytes, &n), 0);
	assert_int_equal(n, SLURP_MOST);
	free(bytes);
	make_hole(x->conf, "slurp", SLURP_MOST + 1);
	assert_int_equal(files_slurp(path_in(x->conf, "slurp"), &bytes, &n), -E2BIG);
	/* a small one is held, a larger one stays where it is */
	make_hole(x->conf, "small", SMALL_MOST);
	make_hole(x->conf, "large", SMALL_MOST + 1);
	assert_int_equal(files_add_from(&f, x->conf, "small"), 0);
	assert_int_equal(files_add_from(&f, x->conf, "large"), 0);
	assert_non_null(files_find(&f, "small")->bytes);
	assert_null(files_find(&f, "small")->path);
	assert_null(files_find(&f, "large")->bytes);
	assert_string_equal(files_find(&f, "large")->path, path_in(x->conf, "large"));
	assert_int_equal(f.n_bytes, 2 * SMALL_MOST + 1);
	assert_int_equal(mkfifo(path_in(x->conf, "fifo"), 0644), 0);
	alarm(20);
	assert_int_equal(files_slurp(path_in(x->conf, "fifo"), &bytes, &n), -EINVAL);
	assert_int_equal(files_digest_of(path_in(x->conf, "fifo"), digest, &n), -EINVAL);
	assert_int_equal(files_slurp(x->conf, &bytes, &n), -EINVAL);
	assert_int_equal(files_digest_of(x->conf, digest, &n), -EINVAL);
	assert_int_equal(files_add_from(&f, x->conf, "fifo"), -EINVAL);
	alarm(0);
	assert_int_equal(files_add_from(&f, x->conf, "../state"), -EINVAL);
	assert_int_equal(files_add_from(&f, x->conf, "none"), -ENOENT);
	files_fini(&f);
}

/* A name that no file of a version may have is refused whether it leads to something or not. */
static void what_is_added_has_a_name_of_its_directory(void **state)
{
	static char longest[FILES_NAME_MAX + 2]; /* one letter too many */
	static const struct {
		const char *why, *name;
		int err;
	} rows[] = {
		{ "a file", "here", 0 },
		{ "there is none", "none", -ENOENT },
		{ "no name", "", -EINVAL },
		{ "a file above", "../above", -EINVAL },
		{ "none above", "../none", -EINVAL },
		{ "a hidden file", ".hidden", -EINVAL },
		{ "none that is hidden", ".none", -EINVAL },
		{ "another letter", "no\tne", -EINVAL },
		{ "too long", longest, -EINVAL },
		{ "as long as can be", longest + 1, -ENOENT },
	};
	const struct fixture *x = *state;
	struct files f = { 0 };

	memset(longest, 'a', sizeof(longest) - 1);
	fixture_write(x->conf, "here", "bytes");
	fixture_write(x->conf, ".hidden", "bytes");
	fixture_write(x->conf, "../above", "bytes");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  %s\n", rows[i].why);
		assert_int_equal(files_add_from(&f, x->conf, rows[i].name), rows[i].err);
	}
	assert_int_equal(f.n_items, 1);
	assert_memory_equal(files_find(&f, "here")->bytes, "bytes", 5);
	files_fini(&f);
}

static void expect_text(const char *dir, const char *name, const char *text)
{
	char *bytes;
	size_t n;

	assert_int_equal(files_slurp(path_in(dir, name), &bytes, &n), 0);
	assert_string_equal(bytes, text);
	free(bytes);
}

static void what_is_damaged_at_equal_length_is_laid_out_again(void **state)
{
	const struct fixture *x = *state;
	struct files f = { 0 };
	char to[160];
	struct stat before, after;

	snprintf(to, sizeof(to), "%s/out", x->state);
	assert_int_equal(files_add(&f, "a/b/c", "deep", 4), 0);
	assert_int_equal(files_add(&f, "same", "bytes", 5), 0);
	assert_int_equal(files_lay_out(&f, to, NULL), 0);
	expect_text(to, "a/b/c", "deep");
	assert_int_equal(stat(path_in(to, "same"), &before), 0);
	fixture_write(to, "a/b/c", "dEEp");
	assert_int_equal(files_lay_out(&f, to, NULL), 0);
	expect_text(to, "a/b/c", "deep");
	assert_int_equal(stat(path_in(to, "same"), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino); /* the whole one is left alone */
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	assert_true(access(path_in(to, "a/b/c.new"), F_OK) < 0);
	files_fini(&f);
}

/* More than are put on the disk one by one. */
static void many_files_are_all_laid_out(void **state)
{
	const struct fixture *x = *state;
	struct files f = { 0 };
	char to[160], name[32];

	snprintf(to, sizeof(to), "%s/out", x->state);
	for (int i = 0; i < 70; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(files_add(&f, name, name, strlen(name)), 0);
	}
	assert_int_equal(files_lay_out(&f, to, NULL), 0);
	for (int i = 0; i < 70; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		expect_text(to, name, name);
	}
	files_fini(&f);
}

/* A large file that was exchanged by another of its length makes no version. */
static void a_large_file_is_taken_by_its_digest(void **state)
{
	const struct fixture *x = *state;
	struct files f = { 0 };
	char to[160];
	int fd;

	snprintf(to, sizeof(to), "%s/out", x->state);
	make_hole(x->conf, "large", SMALL_MOST + 1);
	assert_int_equal(files_add_from(&f, x->conf, "large"), 0);
	fd = open(path_in(x->conf, "large"), O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "x", 1, 1000), 1);
	assert_int_equal(files_add(&f, "later", "good", 4), 0); /* does not make up for it */
	assert_int_equal(files_lay_out(&f, to, NULL), -EIO);
	assert_true(access(path_in(to, "large"), F_OK) < 0);
	assert_true(access(path_in(to, "later"), F_OK) < 0);
	assert_int_equal(pwrite(fd, "", 1, 1000), 1);
	close(fd);
	assert_int_equal(files_lay_out(&f, to, NULL), 0);
	expect_text(to, "later", "good");
	files_fini(&f);
}

static void removing_a_directory_leaves_what_its_links_lead_to(void **state)
{
	const struct fixture *x = *state;
	char dir[160], kept[160];

	snprintf(dir, sizeof(dir), "%s/gone", x->state);
	snprintf(kept, sizeof(kept), "%s/kept", x->state);
	assert_int_equal(mkdir(dir, 0755) | mkdir(kept, 0755), 0);
	assert_int_equal(mkdir(path_in(dir, "sub"), 0755), 0);
	fixture_write(kept, "file", "stays");
	assert_int_equal(symlink(kept, path_in(dir, "sub/link")), 0);
	assert_int_equal(symlink("/nowhere", path_in(dir, "dangling")), 0);
	assert_int_equal(files_remove_dir(dir), 0);
	assert_true(access(dir, F_OK) < 0);
	expect_text(kept, "file", "stays");
	assert_int_equal(files_remove_dir(dir), -ENOENT);
}

/* The names of all files, each with a blank behind. */
static const char *names_of(const struct files *f)
{
	static char text[8192];

	text[0] = '\0';
	for (size_t i = 0; i < f->n_items; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", f->items[i].name);
	return text;
}

static void *remove_below(void *arg)
{
	files_remove_dir(arg);
	return NULL;
}

/* As the store does: a thread removes a version while the whole goes. */
static void a_directory_goes_while_another_removes_from_it(void **state)
{
	const struct fixture *x = *state;
	char root[160], below[176], path[192];
	pthread_t other;

	snprintf(root, sizeof(root), "%s/whole", x->state);
	snprintf(below, sizeof(below), "%s/below", root);
	for (int round = 0; round < 20; round++) {
		assert_int_equal(mkdir(root, 0755) | mkdir(below, 0755), 0);
		for (int i = 0; i < 300; i++) {
			snprintf(path, sizeof(path), "%s/%d", below, i);
			assert_int_equal(mkdir(path, 0755), 0);
		}
		assert_int_equal(pthread_create(&other, NULL, remove_below, below), 0);
		assert_int_equal(files_remove_dir(root), 0);
		assert_int_equal(pthread_join(other, NULL), 0);
		assert_int_equal(access(root, F_OK), -1);
	}
	assert_int_equal(files_remove_dir(below), -ENOENT);
}

static void a_configuration_names_its_files_outside_of_comments_and_texts(void **state)
{
	static const struct {
		const char *text, *names;
	} rows[] = {
		{ "file = \"z1\"; x = 1; file=\"z2\";file : \"z3\"", "weir.conf z1 z2 z3 " },
		{ "x=1;file=\"z1\";(file=\"z2\");{file=\"z3\"}",
		  "weir.conf z1 z2 z3 " }, /* without blanks */
		{ "zones=({name=\"a\";file=\"z1\"},{file=\"z2\"})\n@include\"z3\"",
		  "weir.conf z1 z2 z3 " },
		/* nothing is read behind what has no meaning */
		{ "file = \"z1\"; *file = \"z2\"", "weir.conf z1 " },
		{ "file* = \"z2\"", "weir.conf " },
		{ "x@include \"z3\"", "weir.conf " },
		{ "file = \"z1\"\nx = 1\n\n@include \"z2\" ; file = \"z3\"", "weir.conf z1 " },
		{ "x = 1z; y = \"\\q\"; file = \"z1\"; ) file = \"z2\"", "weir.conf z1 z2 " },
		{ "@include \"z1\"\n@include \"z2\"", "weir.conf z1 z2 " },
		{ "# file = \"z1\"\n// file = \"z2\"\nfile = \"z3\"", "weir.conf z3 " },
		{ "/* file = \"z1\"\n*/ file = \"z2\" /* @include \"z3\" */", "weir.conf z2 " },
		{ "file /* the first */ = # the name\n \"z1\"", "weir.conf z1 " },
		{ "a = \"file = z1 \\\" @include \"; file = \"z2\"", "weir.conf z2 " },
		{ "a = \"// \"; file = \"z1\"; b = \"/* \"; file = \"z2\"", "weir.conf z1 z2 " },
		{ "files = \"z1\"; a_file = \"z2\"; file-x = \"z3\"; file2 = \"z1\"; File = \"z2\"",
		  "weir.conf " },
		{ "file = \"z1\"; file = \"z1\"", "weir.conf z1 " },
		{ "file = z1; file = \"z2", "weir.conf " },
		{ "file = \"../conf/z1\"; file = \"/etc/passwd\"; file = \"none\"", "weir.conf " },
		{ "file = \"z\\x31\"; file = \"z2\"", "weir.conf z1 z2 " },
		{ "file = \"z1\\q\"; file = \"z2\"", "weir.conf z2 " },
		{ "file = \"z\" \"1\"; file = \"z\" /* on */\n\"\" \"2\" ", "weir.conf z1 z2 " },
		{ "/* file = \"z1\"", "weir.conf " },
		{ "file = ", "weir.conf " },
		{ "@include", "weir.conf " },
		{ "", "weir.conf " },
	};
	const struct fixture *x = *state;

	fixture_write(x->conf, "z1", "; nothing\n");
	fixture_write(x->conf, "z2", "; nothing\n");
	fixture_write(x->conf, "z3", "; nothing\n");
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct files f = { 0 };

		fixture_write(x->conf, "main", rows[i].text);
		print_message("%s\n", rows[i].text);
		assert_int_equal(gather_files(x->conf, "main", &f), 0);
		assert_string_equal(names_of(&f), rows[i].names);
		assert_string_equal(files_find(&f, FILES_MAIN)->bytes, rows[i].text);
		files_fini(&f);
	}
}

/* Ten levels; a circle ends. */
static void includes_are_followed_ten_deep(void **state)
{
	const struct fixture *x = *state;
	struct files f = { 0 };
	char name[16], text[64];

	for (int i = 0; i < 13; i++) {
		snprintf(name, sizeof(name), "i%02d", i);
		snprintf(text, sizeof(text), "@include \"i%02d\"\nfile = \"shop.example.zone\"\n",
		         i + 1);
		fixture_write(x->conf, name, text);
	}
	assert_int_equal(gather_files(x->conf, "i00", &f), 0);
	for (int i = 1; i < 13; i++) {
		snprintf(name, sizeof(name), "i%02d", i);
		/* the eleventh is there, and what it names is not looked for */
		if ((files_find(&f, name) != NULL) != (i <= 11))
			fail_msg("%s", name);
	}
	assert_non_null(files_find(&f, "shop.example.zone"));
	files_fini(&f);
	/* a chain that was too deep takes no level from those after it */
	fixture_write(x->conf, "main", "@include \"i00\"\n@include \"j01\"\n");
	for (int i = 1; i < 11; i++) {
		snprintf(name, sizeof(name), "j%02d", i);
		snprintf(text, sizeof(text), "@include \"j%02d\"\n", i + 1);
		fixture_write(x->conf, name, text);
	}
	fixture_write(x->conf, "j11", "");
	assert_int_equal(gather_files(x->conf, "main", &f), 0);
	assert_non_null(files_find(&f, "j11"));
	files_fini(&f);
	fixture_write(x->conf, "i01", "@include \"i02\"\n@include \"i00\"\n");
	fixture_write(x->conf, "i02", "@include \"i01\"\nfile = \"hash.key\"\n");
	assert_int_equal(gather_files(x->conf, "i00", &f), 0);
	assert_string_equal(names_of(&f), "hash.key i00 i01 i02 shop.example.zone weir.conf ");
	files_fini(&f);
}

static void too_much_is_refused_and_not_left_out(void **state)
{
	const struct fixture *x = *state;
	struct files f = { 0 };
	static char text[FILES_MOST * 18];
	size_t n = 0;
	char name[16];

	assert_int_equal(gather_files(x->conf, "none", &f), -ENOENT);
	assert_null(f.items);
	make_hole(x->conf, "z", 1);
	/* as many files as a version holds, and one */
	for (int i = 0; i < FILES_MOST; i++) {
		snprintf(name, sizeof(name), "n%05d", i);
		assert_int_equal(link(path_in(x->conf, "z"), path_in(x->conf, name)), 0);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "file=\"%s\"\n", name);
		if (i == FILES_MOST - 2) {
			fixture_write(x->conf, "main", text);
			assert_int_equal(gather_files(x->conf, "main", &f), 0);
			assert_int_equal(f.n_items, FILES_MOST);
			files_fini(&f);
		}
	}
	fixture_write(x->conf, "main", text);
	assert_int_equal(gather_files(x->conf, "main", &f), -E2BIG);
	assert_null(f.items);
	fixture_write(x->conf, "more", text);
	fixture_write(x->conf, "main", "@include \"more\"\n");
	assert_int_equal(gather_files(x->conf, "main", &f), -E2BIG); /* in an included one, too */
	assert_null(f.items);
}

/* $INCLUDE: relative to the directory of the zone's file, at the begin of a line. */
static void a_zone_names_its_includes(void **state)
{
	static const char zone[] =
	        "$ORIGIN x.\n$INCLUDE one\n$include \"two\" ; and more\n $INCLUDE three\n; $INCLUDE four\n"
	        "$INCLUDEX five\n@ TXT \"$INCLUDE six\"\n$INCLUDE\tseven;x\n$INCLUDE /eight\n$INCLUDE ../nine\n$INCLUDE one";
	const struct fixture *x = *state;
	struct files f = { 0 };

	assert_int_equal(mkdir(path_in(x->conf, "zones"), 0755), 0);
	for (const char *const *name = (const char *const[]){ "one", "two", "three", "four", "five",
	                                                      "six", "seven", NULL };
	     *name; name++)
		fixture_write(x->conf, path_in("zones", *name), "@ TXT \"x\"\n");
	fixture_write(x->conf, "zones/two", "$INCLUDE deeper\n");
	fixture_write(x->conf, "zones/deeper", "$INCLUDE two\n"); /* a circle ends */
	fixture_write(x->conf, "zones/z", zone);
	assert_int_equal(includes_gather(&f, x->conf, "zones/z"), 0);
	assert_string_equal(names_of(&f), "zones/deeper zones/one zones/seven zones/two zones/z ");
	files_fini(&f);
	assert_int_equal(includes_gather(&f, x->conf, "zones/none"), -ENOENT);
	fixture_write(x->conf, "main", "file = \"zones/z\"\nfile = \"zones/none\"");
	assert_int_equal(gather_files(x->conf, "main", &f), 0);
	assert_string_equal(names_of(&f),
	                    "weir.conf zones/deeper zones/one zones/seven zones/two zones/z ");
	files_fini(&f);
}

static int count_include(void *arg, const char *name)
{
	size_t *n = arg;

	*n += !strcmp(name, "small");
	return 0;
}

/* Its text is in memory only as long as it is looked at. */
static void a_large_zone_leaves_nothing_in_memory(void **state)
{
	const struct fixture *x = *state;
	static char zone[SMALL_MOST + 1000];
	struct files f = { 0 };
	size_t held = 0, n = 0;

	memset(zone, '\n', sizeof(zone) - 1);
	memcpy(zone, "$INCLUDE small\n", 15);
	fixture_write(x->conf, "large", zone);
	fixture_write(x->conf, "small", "@ TXT \"x\"\n");
	assert_int_equal(files_add_from(&f, x->conf, "large"), 0);
	assert_int_equal(files_add_from(&f, x->conf, "small"), 0);
	for (int i = 0; i < 16; i++) {
		assert_int_equal(includes_of(&f, "large", count_include, &n), 0);
		assert_int_equal(includes_gather(&f, x->conf, "large"), 0);
		if (i == 0) /* what malloc() keeps aside is there */
			held = mallinfo2().uordblks;
	}
	assert_int_equal(n, 16);
	assert_in_range(mallinfo2().uordblks, 0, held + SMALL_MOST);
	files_fini(&f);
}

/* People know their files by the names that they gave. */
static void mistakes_and_warnings_name_files_as_they_were_given(void **state)
{
	const struct fixture *x = *state;
	struct files f = fixture_files("port = 80", "port = 80000");
	struct model_errors errors;
	struct zones_findings said = { 0 };
	struct model *m = NULL;

	assert_int_equal(gather_model(&f, x->state, x->conf, "ams-1", &m, &errors), -EINVAL);
	assert_null(m);
	assert_true(errors.n_items > 0);
	for (size_t i = 0; i < errors.n_items; i++) {
		assert_string_equal(errors.items[i].file, "weir.conf");
		assert_null(strstr(errors.items[i].message, x->state));
	}
	model_errors_free(&errors);
	files_fini(&f);
	/* a mistake that names another file */
	f = fixture_files("shop.example.zone", "gone.zone");
	assert_int_equal(gather_model(&f, x->state, x->conf, "ams-1", &m, &errors), -EINVAL);
	assert_int_equal(errors.n_items, 1);
	assert_string_equal(errors.items[0].file, "weir.conf");
	print_message("%s\n", errors.items[0].message);
	assert_ptr_equal(strstr(errors.items[0].message, "gone.zone "), errors.items[0].message);
	model_errors_free(&errors);
	files_fini(&f);
	/* a zone that is wrong, and one that is only odd */
	f = fixture_files(NULL, NULL);
	static const char *const zones[] = {
		"$ORIGIN shop.example.\n$TTL 60\n@ SOA ns1 host 1 60 60 60 60\n@ NS ns1\nns1 A 1.2.3\n",
		"$ORIGIN shop.example.\n$TTL 60\n@ SOA ns1 host 1 60 60 60 60\n@ NS ns1\nns1 A 192.0.2.53\n@ MX 5 m\nm CNAME ns1\n"
	};

	for (size_t i = 0; i < COUNT(zones); i++) {
		struct files one = { 0 };

		assert_int_equal(files_add(&one, "z", zones[i], strlen(zones[i])), 0);
		assert_int_equal(files_put(&f, "shop.example.zone", files_find(&one, "z")), 0);
		files_fini(&one);
		assert_int_equal(gather_model(&f, x->state, x->conf, "ams-1", &m, &errors), 0);
		assert_string_equal(m->zones[0].digest,
		                    files_find(&f, "shop.example.zone")->digest);
		int err = gather_check_zones(m, &f, x->state, NULL, &errors, &said);

		print_message("%d: %zu mistakes, %zu warnings\n", err, errors.n_items,
		              said.n_warnings);
		assert_int_equal(errors.n_items > 0, err == -EINVAL);
		assert_true(errors.n_items + said.n_warnings > 0);
		for (size_t k = 0; k < errors.n_items; k++) {
			assert_string_equal(errors.items[k].file, "shop.example.zone");
			assert_null(strstr(errors.items[k].message, x->state));
		}
		for (size_t k = 0; k < said.n_warnings; k++)
			assert_ptr_equal(strstr(said.warnings[k], "shop.example.zone"),
			                 said.warnings[k]);
		zones_findings_fini(&said);
		model_errors_free(&errors);
		model_free(m);
		m = NULL;
	}
	files_fini(&f);
}

static ino_t inode_of(const char *dir, const char *name)
{
	struct stat st;

	assert_int_equal(stat(path_in(dir, name), &st), 0);
	return st.st_ino;
}

/* To the nanosecond, in whatever order the directory tells them; the one that is laid out is none. */
static void the_newest_other_version_is_linked_to(void **state)
{
	const struct fixture *x = *state;
	struct files f = fixture_files(NULL, NULL);
	char names[4][DIGEST_TEXT_MAX], dirs[4][256], parent[128];

	snprintf(parent, sizeof(parent), "%s/" PROC_CONFIG_DIR, x->state);
	for (size_t i = 0; i < COUNT(names); i++)
		for (size_t own = 0; own < COUNT(names); own++) {
			struct model_errors errors;
			struct model *m;

			assert_int_equal(mkdir(parent, 0755), 0);
			for (size_t k = 0; k < COUNT(names); k++) {
				digest_bytes(&k, sizeof(k), names[k]);
				if (k == own)
					files_digest(&f, names[k]);
				snprintf(dirs[k], sizeof(dirs[k]), "%s/%s", parent, names[k]);
				assert_int_equal(mkdir(dirs[k], 0755), 0);
				if (k != own)
					fixture_write(dirs[k], "shop.example.zone", fixture_zone);
			}
			for (size_t k = 0; k < COUNT(names); k++) {
				/* i is the newest, then the one behind it, and so on */
				long age = (long)((k + COUNT(names) - i) % COUNT(names));
				const struct timespec times[2] = {
					{ 0, UTIME_OMIT }, { 1000 - age / 2, 500 - age % 2 }
				};

				assert_int_equal(utimensat(AT_FDCWD, dirs[k], times, 0), 0);
			}
			assert_int_equal(gather_model(&f, x->state, x->conf, "ams-1", &m, &errors),
			                 0);
			model_free(m);
			model_errors_free(&errors);
			assert_int_equal(inode_of(dirs[own], "shop.example.zone"),
			                 inode_of(dirs[own == i ? (i + 1) % COUNT(names) : i],
			                          "shop.example.zone"));
			assert_int_equal(files_remove_dir(parent), 0);
		}
	files_fini(&f);
}

SUITE(files)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_stay_below_their_directory),
		cmocka_unit_test(limits_of_a_version_are_exact),
		cmocka_unit_test(the_digest_is_of_names_and_contents),
		TEST(the_newest_other_version_is_linked_to),
		TEST(what_is_read_is_a_regular_file_up_to_its_limit),
		TEST(what_is_damaged_at_equal_length_is_laid_out_again),
		TEST(many_files_are_all_laid_out),
		TEST(a_large_file_is_taken_by_its_digest),
		TEST(what_is_added_has_a_name_of_its_directory),
		TEST(removing_a_directory_leaves_what_its_links_lead_to),
		TEST(a_directory_goes_while_another_removes_from_it),
		TEST(a_configuration_names_its_files_outside_of_comments_and_texts),
		TEST(includes_are_followed_ten_deep),
		TEST(too_much_is_refused_and_not_left_out),
		TEST(a_zone_names_its_includes),
		TEST(a_large_zone_leaves_nothing_in_memory),
		TEST(mistakes_and_warnings_name_files_as_they_were_given),
	};

	return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
