/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading the next generation from real files, beside a loop in a time of the test's own: what becomes of documents and
 * zones that are good, bad, or cannot be read now. Threads that answer do nothing; sockets are real, in a network
 * namespace.
 */
#include "tests/unit/answers.h"
#include "tests/unit/dns/generation_files.h"

#include <pthread.h>
#include <stdarg.h>
#include <sys/un.h>
#include <time.h>

#include "base/log.h"
#include "dns/server.h"
#include "tests/unit/logged.h"
#include "tests/unit/simulated_time.h"
#include "tests/unit/suite.h"
#include "weir/condition.h"
#include "weir/placement.h"
#include "weir/stats.h"

#include "tests/unit/bpf/space.h"

static struct server s;
static unsigned takes_ms;      /* the next reading of a document */
static const char *unreadable; /* the name of a file that cannot be opened; NULL: none */
static int open_error;
static bool no_thread, no_room; /* for a load; for what is put in force */
static pthread_t main_thread;
static int notify_fd;

/* Of what is put in force the first is a head of three words. */
static void *own_calloc(size_t n, size_t size)
{
	return no_room && n == 1 && size == 3 * sizeof(void *) &&
	                       pthread_equal(pthread_self(), main_thread)
	               ? NULL
	               : __real_calloc(n, size);
}

static bool has_name(const char *path, const char *name)
{
	const char *last = strrchr(path, '/');

	return last && !strcmp(last + 1, name);
}

static int own_open64(const char *path, int flags, mode_t mode)
{
	if (has_name(path, PROC_EFFECTIVE_FILE)) {
		__atomic_fetch_add(&simulated.now_ms, takes_ms, __ATOMIC_RELAXED);
		takes_ms = 0;
	}
	errno = open_error;
	return unreadable && has_name(path, unreadable) ? -1 : __real_open64(path, flags, mode);
}

/* Those that answer do nothing. */
static int own_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                              void *arg)
{
	if (run == worker_serve) {
		*thread = main_thread;
		return 0;
	}
	return no_thread ? EAGAIN : __real_pthread_create(thread, attr, run, arg);
}

static int own_pthread_join(pthread_t thread, void **result)
{
	return pthread_equal(thread, main_thread) ? 0 : __real_pthread_join(thread, result);
}

static const char *path_in(const char *name, char path[PATH_MAX])
{
	path_of(name, path);
	return path;
}

static int begin_scene(void **state)
{
	memset(&s, 0, sizeof(s));
	simulated.now_ms += 100000; /* the log's limits are of before */
	takes_ms = 0;
	unreadable = NULL;
	no_thread = no_room = false;
	logged[0] = '\0';
	digest = "d1";
	strcpy(dir, "/tmp/weir-generation.XXXXXX");
	if (set_up(state) || counters_open(&s.counters, dir) || loop_open(&s.loop))
		return -1;
	s.dirs = &dirs;
	s.port = 5397;
	s.workers_event = -1;
	write_document("www.shop.test");
	return ramps_open(&s.ramps, dir) || decided_open(&s.decided, dir) || server_load_open(&s);
}

static int end_scene(void **state)
{
	workers_stop(&s);
	listen_close(&s);
	server_load_stop(&s);
	serving_close(&s);
	ramps_close(&s.ramps);
	decided_close(&s.decided);
	believed_close(&s.believed);
	counters_close(&s.counters);
	loop_close(s.loop);
	return tear_down(state);
}

static unsigned n_looks; /* to come, while none runs: a turn for what is due */

static void look_again(void *arg)
{
	struct loop_timer *t = arg;

	if (s.load.running)
		n_looks = 1;
	if (s.load.running || n_looks--)
		(void)loop_timer_set(s.loop, t, 0);
	else
		loop_stop(s.loop);
}

/* Until no load runs. */
static void await_loads(void)
{
	struct loop_timer t = { .cb = look_again, .arg = &t };
	struct stats_reader *r;
	uint64_t sum = 1;

	n_looks = 1;
	assert_int_equal(loop_timer_set(s.loop, &t, 0), 0);
	assert_int_equal(loop_run(s.loop), 0);
	no_room = false;
	assert_int_equal(stats_reader_open(dir, "dns", &r), 0);
	if (stats_reader_sum(r, STATS_JOB, &sum)) /* no hang is seen any more */
		assert_int_equal(sum, 0);
	stats_reader_close(r);
}

/* The loop has its time, and what is due then is done. */
static void go_on_after(uint64_t ms)
{
	simulated.now_ms += ms;
	await_loads();
}

static void run_load(bool from_files)
{
	logged[0] = '\0';
	(void)server_load_start(&s, from_files);
	await_loads();
}

static void write_zone(unsigned serial, const char *more)
{
	char text[16384];

	snprintf(text, sizeof(text),
	         "$TTL 60\n@ SOA ns root %u 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n%s", serial, more);
	write_text("zone", text);
}

static void write_nonsense(void)
{
	write_text(PROC_EFFECTIVE_FILE, "schema = 1;\nnonsense = 2;\n");
}

static uint32_t read_serial(void)
{
	return image_zone(s.now->image, 0)->serial;
}

static bool is_stated(const char *code)
{
	static struct conditions all;

	assert_int_equal(conditions_read(dir, "dns", &all), 0);
	for (uint32_t i = 0; i < all.n; i++)
		if (!strcmp(all.items[i].code, code))
			return true;
	return false;
}

/* Its first answers follow what is seen; each document may listen elsewhere; the supervisor hears once. */
static void what_is_loaded_is_looked_at_taken_and_listened_for(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	uint64_t target = health_target_service("web", "ams", true);
	struct health_page *h;
	struct addr other;
	char text[64], from[PATH_MAX];

	(void)state;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/notify", dir);
	notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(notify_fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", at.sun_path, 1), 0);
	assert_int_equal(page_create(path_in("health.page", from), HEALTH_PAGE_KIND,
	                             HEALTH_PAGE_LAYOUT, sizeof(*h), &s.health),
	                 0);
	h = page_payload(s.health);
	assert_int_equal(health_set_targets(h, &target, 1, 1), 0);
	(void)health_write(h, health_find_index(h, target),
	                   health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1));
	page_alive(s.health, simulated.now_ms);
	page_publish(s.health);
	write_nonsense();
	run_load(false);
	assert_int_equal(recv(notify_fd, text, sizeof(text), MSG_DONTWAIT),
	                 -1); /* nothing is served */
	write_document("www.shop.test");
	for (unsigned life = 0; life < 2; life++) {
		run_load(false);
		assert_non_null(s.serving);
		assert_int_equal(health_state(s.serving->state->sites[0].words[1]), HEALTH_UP);
		assert_int_equal(s.load.finished, 2 + life);
		assert_int_equal(*s.counters.loads, 1 + life);
		assert_int_equal(*s.counters.load_failures, 1);
		assert_string_equal(server_load_error(&s), "");
		assert_int_equal(recv(notify_fd, text, sizeof(text), MSG_DONTWAIT), life ? -1 : 7);
		assert_int_equal(s.n_listens, 1);
		assert_int_equal(addr_parse(life ? "127.0.0.9" : "127.0.0.1", &other), 0);
		assert_true(addr_equal(&s.listens[0].address, &other));
		space_run("sed -i s/127.0.0.1/127.0.0.9/ %s/effective.conf", dir);
	}
	unsetenv("NOTIFY_SOCKET");
	close(notify_fd);
	page_close(s.health);
	s.health = NULL;
}

/* The key, the image and the zones of what is in force are used where the files lack. */
static void the_loader_gets_what_is_in_force(void **state)
{
	const uint64_t key[2] = { 0x0011223344556677u, 0x8899aabbccddeeffu };
	char path[PATH_MAX];
	const struct image *image;
	struct placement p;

	(void)state;
	placement_make(key, &p);
	assert_int_equal(unlink(path_in("hash.key", path)), 0); /* it may not be read */
	assert_int_equal(placement_write(path_in(PLACEMENT_FILE, path), &p), 0);
	run_load(false);
	assert_int_equal(s.now->model->key_state, MODEL_KEY_GOOD);
	image = s.now->image;
	assert_int_equal(unlink(path), 0);
	run_load(false);
	assert_int_equal(s.now->model->key_state, MODEL_KEY_KEPT);
	assert_ptr_equal(s.now->image, image); /* it has the same files */
	assert_int_equal(unlink(path_in(GENERATION_IMAGE_FILE, path)), 0);
	write_text("hash.key", "00112233445566778899aabbccddeeff\n");
	digest = "d2";
	write_document("www.shop.test");
	write_zone(2, "h A 1.2.3\n");
	run_load(false);
	assert_int_equal(s.now->n_earlier, 1);
	assert_int_equal(read_serial(), 1);
	assert_string_equal(s.load.zones[0], "shop.test");
	assert_non_null(strstr(s.load.errors[0], "zone:5: "));
	assert_int_equal(*s.counters.load_failures, 1); /* that a zone lacks is a failure */
	assert_non_null(strstr(server_load_error(&s), "an earlier image"));
}

/* It is served at once, and compiled after that. */
static void an_image_of_another_program_is_followed_by_a_load(void **state)
{
	static char bytes[1 << 16];
	struct image *image = (struct image *)(void *)bytes;
	char path[PATH_MAX];
	size_t n;
	FILE *f;

	(void)state;
	run_load(false);
	f = fopen(path_in(GENERATION_IMAGE_FILE, path), "r+");
	assert_non_null(f);
	n = fread(bytes, 1, sizeof(bytes), f);
	assert_true(n > sizeof(*image) && n < sizeof(bytes));
	image->program++;
	image->checksum = image_checksum(image);
	rewind(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	serving_close(&s);
	s.load.started = s.load.finished = 0;
	run_load(false);
	assert_int_equal(s.load.finished, 2);
	assert_false(s.now->is_former);
}

static void a_wish_for_the_files_is_kept_until_it_is_met_and_no_longer(void **state)
{
	(void)state;
	run_load(false);
	write_zone(2, ""); /* as the document says, nothing has changed */
	run_load(false);
	assert_int_equal(read_serial(), 1);
	assert_int_equal(server_load_start(&s, false), 3);
	assert_int_equal(server_load_start(&s, true), 4);  /* after the one that runs */
	assert_int_equal(server_load_start(&s, false), 4); /* which does as well for this one */
	await_loads();
	assert_int_equal(s.load.finished, 4);
	assert_int_equal(read_serial(), 2); /* the files were read */
	write_zone(3, "");
	run_load(false);
	assert_int_equal(read_serial(), 2);
	assert_int_equal(s.load.finished, 5);
}

static void a_refused_document_leaves_what_is_served(void **state)
{
	const struct generation *before;

	(void)state;
	run_load(false);
	before = s.now;
	write_nonsense();
	run_load(false);
	assert_true(is_stated("document-refused")); /* it is told at once */
	assert_ptr_equal(s.now, before);
	assert_string_equal(server_load_error(&s), strerror(EINVAL));
	assert_true(*s.counters.loads == 1 && *s.counters.load_failures == 1);
	assert_true(s.load.n_errors > 0 && !s.load.zones[0]);
	assert_non_null(strstr(s.load.errors[0], "effective.conf:"));
	write_document("www.shop.test");
	run_load(false);
	assert_int_equal(s.load.n_errors, 0); /* those of the document before are gone */
	assert_null(s.load.errors[0]);
	assert_string_equal(server_load_error(&s), "");
	assert_false(is_stated("document-refused"));
}

static void no_document_yet_is_no_failure(void **state)
{
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(unlink(path_in(PROC_EFFECTIVE_FILE, path)), 0);
	for (int i = 0; i < 2; i++) {
		run_load(false);
		assert_string_equal(logged, "<5>dns-waits for=\"effective.conf\"\n");
	}
	assert_null(s.now);
	assert_true(*s.counters.loads == 0 && *s.counters.load_failures == 0);
	assert_int_equal(s.load.last_result, -ENOENT);
}

/* What may pass is tried again, and what another document must mend is not. Each twice. */
static void a_load_that_failed_for_want_is_tried_again(void **state)
{
	static const struct {
		const char *why;
		int result;
		bool again;
	} cases[] = { { "no thread", -ENOMEM, true },
		      { "no descriptor", -EMFILE, true },
		      { "no memory", -ENOMEM, true },
		      { "nonsense", -EINVAL, false } };

	(void)state;
	run_load(false);
	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		const size_t k = i / 2;
		uint64_t started = s.load.started + 1;
		const struct generation *before = s.now;
		uint32_t was = read_serial();

		print_message("  %s\n", cases[k].why);
		no_thread = k == 0;
		unreadable = k == 1 ? PROC_EFFECTIVE_FILE : NULL;
		open_error = EMFILE;
		no_room = k == 2;
		if (k == 3)
			write_nonsense();
		write_zone(was + 1, "");
		assert_int_equal(server_load_start(&s, i % 2), started);
		await_loads();
		assert_int_equal(s.load.finished, started); /* who waits for it waits no longer */
		assert_int_equal(s.load.last_result, cases[k].result);
		assert_string_equal(server_load_error(&s), strerror(-cases[k].result));
		assert_ptr_equal(s.now, before);
		no_thread = no_room = false;
		unreadable = NULL;
		go_on_after(1999);
		assert_int_equal(s.load.started, started);
		go_on_after(1);
		assert_int_equal(s.load.started, started + cases[k].again);
		go_on_after(9000); /* once */
		if (!cases[k].again)
			write_document("www.shop.test");
		await_loads();
		assert_int_equal(s.load.started, started + cases[k].again);
		assert_int_equal(s.load.last_result, cases[k].again ? 0 : -EINVAL);
		assert_int_equal(read_serial() != was,
		                 i % 2 && cases[k].again); /* read, as before */
	}
}

/* The document is in force; one zone's file is read later. The repetitions are logged when something has come of one. */
static void a_file_that_was_not_read_for_want_is_read_later_and_told_once(void **state)
{
	(void)state;
	run_load(false);
	write_zone(2, "");
	digest = "d2";
	write_document("www.shop.test");
	unreadable = "zone";
	open_error = EACCES;
	for (unsigned i = 0; i < 3; i++) {
		logged[0] = '\0';
		if (i) {
			go_on_after(1999);
			assert_int_equal(s.load.finished, 1 + i);
			go_on_after(1);
		} else {
			run_load(false);
		}
		assert_int_equal(s.load.finished, 2 + i);
		assert_int_equal(s.load.last_result, 0);
		assert_int_equal(s.now->n_earlier, 1);
		assert_non_null(strstr(server_load_error(&s), "a permission: tried again"));
		assert_int_equal(strstr(logged, "<3>dns-load-error message=") != NULL, i == 0);
		assert_int_equal(strstr(logged, "<5>dns-generation") != NULL, i == 0);
	}
	unreadable = NULL;
	go_on_after(2000);
	assert_int_equal(s.load.finished, 5);
	assert_string_equal(server_load_error(&s), "");
	assert_non_null(strstr(logged, "<5>dns-generation"));
	assert_int_equal(read_serial(), 2);
}

/* Many zones may take seconds, each time. */
static void a_load_that_takes_long_is_counted_and_repeated_rarely(void **state)
{
	(void)state;
	unreadable = "zone";
	open_error = EACCES;
	takes_ms = 1000;
	run_load(false);
	assert_int_equal(*s.counters.load_ms, 1000);
	assert_non_null(strstr(logged, "took_ms=1000"));
	assert_non_null(strstr(server_load_error(&s), "not compiled for want"));
	go_on_after(8999);
	assert_int_equal(s.load.started, 1);
	go_on_after(1);
	assert_int_equal(s.load.started, 2);
	write_nonsense();
	takes_ms = 5;
	run_load(false);
	assert_int_equal(*s.counters.load_ms, 5);
}

/* As many as are kept, and one more; warnings are none. */
static void mistakes_are_kept_up_to_a_number(void **state)
{
	static char bad[4096];

	(void)state;
	run_load(false);
	write_zone(2, "h A 192.0.2.2\nh2 CNAME h\nmx MX 1 h2\n"); /* a warning */
	run_load(true);
	assert_int_equal(read_serial(), 2);
	assert_int_equal(s.load.n_errors, 0);
	for (unsigned n = 0; n < SERVER_ERRORS_MAX + 1; n++) {
		sprintf(bad + strlen(bad), "h%u A 1.2.3\n", n);
		if (n + 2 < SERVER_ERRORS_MAX)
			continue;
		write_zone(3, bad);
		run_load(true);
		assert_int_equal(s.load.n_errors, n + 1);
		assert_int_equal(s.load.errors[SERVER_ERRORS_MAX - 1] != NULL,
		                 n + 1 >= SERVER_ERRORS_MAX);
		assert_non_null(strstr(s.load.errors[0], "zone:5: "));
	}
}

/* The first word of what is wrong. */
static void the_worst_is_said_of_a_load(void **state)
{
	char path[PATH_MAX];

	(void)state;
	assert_string_equal(server_load_error(&s), ""); /* there was none */
	write_text("zone", "@ SOA nothing\n");
	run_load(false);
	assert_int_equal(s.now->n_broken, 1);
	assert_non_null(strstr(s.load.errors[0], "zone:1: "));
	assert_non_null(strstr(server_load_error(&s), "SERVFAIL"));
	write_nonsense();
	run_load(false);
	assert_string_equal(server_load_error(&s), strerror(EINVAL));
	write_zone(1, "");
	write_document("www.shop.test");
	assert_int_equal(unlink(path_in("zone", path)), 0); /* no file is no want of anything */
	run_load(true);
	assert_non_null(strstr(server_load_error(&s), "SERVFAIL"));
	go_on_after(100000);
	assert_int_equal(s.load.finished, 3);
}

static void a_load_is_waited_for_at_the_end(void **state)
{
	(void)state;
	(void)server_load_start(&s, false);
	server_load_stop(&s);
	assert_false(s.load.running);
	assert_null(s.now); /* nobody took what it made */
	s.load.loaded = NULL;
}

static void assert_logged(const char *text)
{
	run_load(false);
	assert_string_equal(logged, text);
}

/* A person reads each error once, and its repetition not again; another error in between is read. */
static void what_repeats_itself_is_logged_once(void **state)
{
	static const char no_thread_text[] =
	        "<3>dns-load-refused error=\"Cannot allocate memory\" n_errors=0 serving=earlier\n";

	(void)state;
	unreadable = PROC_EFFECTIVE_FILE;
	open_error = EMFILE;
	run_load(false);
	assert_non_null(strstr(logged, "<3>dns-load-error message="));
	assert_non_null(strstr(logged, "<3>dns-load-refused error=\"Too many open files\""));
	assert_non_null(strstr(logged, "serving=nothing\n"));
	assert_logged("");
	unreadable = NULL;
	write_nonsense();
	for (int i = 0; i < 2; i++) {
		run_load(false);
		assert_non_null(strstr(logged, "dns-load-refused error=\"Invalid argument\""));
	}
	write_document("www.shop.test");
	run_load(false);
	assert_non_null(strstr(logged, "<5>dns-generation document="));
	no_thread = true;
	logged[0] = '\0';
	for (int i = 0; i < 2; i++) { /* the first time alone */
		(void)server_load_start(&s, false);
		assert_string_equal(logged, no_thread_text);
	}
	no_thread = false;
	no_room = true;
	assert_logged("<3>dns-load-refused error=\"no memory\" serving=earlier\n");
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, begin_scene, end_scene)

static int enter_space(void **state)
{
	(void)state;
	main_thread = pthread_self();
	return space_enter(false);
}

SUITE(load)
{
	const struct CMUnitTest tests[] = {
		WITH(what_is_loaded_is_looked_at_taken_and_listened_for),
		WITH(the_loader_gets_what_is_in_force),
		WITH(an_image_of_another_program_is_followed_by_a_load),
		WITH(a_wish_for_the_files_is_kept_until_it_is_met_and_no_longer),
		WITH(a_refused_document_leaves_what_is_served),
		WITH(no_document_yet_is_no_failure),
		WITH(a_load_that_failed_for_want_is_tried_again),
		WITH(a_file_that_was_not_read_for_want_is_read_later_and_told_once),
		WITH(a_load_that_takes_long_is_counted_and_repeated_rarely),
		WITH(mistakes_are_kept_up_to_a_number),
		WITH(the_worst_is_said_of_a_load),
		WITH(a_load_is_waited_for_at_the_end),
		WITH(what_repeats_itself_is_logged_once),
	};

	answer_calloc = own_calloc;
	simulated_clock();
	answer_open64 = own_open64;
	answer_pthread_create = own_pthread_create;
	answer_pthread_join = own_pthread_join;
	logged_begin();
	if (geteuid())
		return 77;
	return cmocka_run_group_tests_name("dns load", tests, enter_space, NULL);
}
