/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Preloaded: makes the n-th allocation fail. Counted are allocations by the objects that FAIL_LIBS names
 * (beginnings of file names, "weir" for the program itself; libc counts as the one that called it).
 *
 * In a test's own loop: fail_arm() and fail_disarm() (fail.h). For a whole program: with FAIL_OUT set,
 * main() runs in a child for each n, until a run ends before its n-th allocation; each run's end,
 * output and the failed call are a record in the file FAIL_OUT, which fail.py reads.
 */
#include "tests/fail/fail.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define OBJECTS_MAX 256
#define FRAMES_MAX  16
#define EARLY_BYTES 65536
#define OUTPUT_MAX  65536
#define RUN_LIMIT_S 20
#define SITES_MAX   1024
#define OURS_MAX    3
#define DEEP_MAX    96 /* frames between an allocation in a library and our call of it */

struct object {
	uintptr_t first, end;
	const char *name;
	uintptr_t base;
	bool counted;
};

/* What a run tells its parent. */
struct report {
	atomic_ulong n;
	atomic_bool failed;
	int n_frames;
	void *frames[FRAMES_MAX];
};

/* A call of ours into a counted library, by the last OURS_MAX of our frames, and how often it has allocated. */
struct site {
	uintptr_t id;
	unsigned long n;
};

static struct site sites[SITES_MAX];
static size_t n_sites;
static unsigned long
        each_nth; /* 0: every allocation counts; else the n-th of each call of ours alone */
static struct object objects[OBJECTS_MAX];
static size_t n_objects;
static struct report own_report, *report = &own_report;
static atomic_ulong fail_at;
static unsigned long armed_at;
static __thread bool inside;
static int (*real_main)(int, char **, char **);

static struct {
	void *(*malloc)(size_t);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	void (*free)(void *);
	int (*posix_memalign)(void **, size_t, size_t);
	void *(*aligned_alloc)(size_t, size_t);
} real;

/* dlsym() allocates before there is an allocator. */
static unsigned char early[EARLY_BYTES] __attribute__((aligned(16)));
static size_t n_early;

static void *alloc_early(size_t n)
{
	void *p = early + n_early;

	n_early += (n + 15) / 16 * 16;
	if (n_early > EARLY_BYTES)
		abort();
	return p;
}

static bool is_early(const void *p)
{
	return (const unsigned char *)p >= early && (const unsigned char *)p < early + EARLY_BYTES;
}

static void *find_real(const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	if (!symbol)
		abort();
	return symbol;
}

static bool find_reals(void)
{
	static bool looking;

	if (real.free)
		return true;
	if (looking)
		return false;
	looking = true;
	*(void **)&real.malloc = find_real("malloc");
	*(void **)&real.calloc = find_real("calloc");
	*(void **)&real.realloc = find_real("realloc");
	*(void **)&real.posix_memalign = find_real("posix_memalign");
	*(void **)&real.aligned_alloc = find_real("aligned_alloc");
	*(void **)&real.free = find_real("free");
	looking = false;
	return true;
}

static bool is_named(const char *path, const char *names)
{
	const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;

	while (*names) {
		size_t n = strcspn(names, ",");

		if (n && strncmp(file, names, n) == 0)
			return true;
		names += n + (names[n] == ',');
	}
	return false;
}

static int note_object(struct dl_phdr_info *info, size_t size, void *names)
{
	bool program = n_objects == 0; /* the first of all */

	(void)size;
	for (int i = 0; i < info->dlpi_phnum && n_objects < OBJECTS_MAX; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];

		if (h->p_type == PT_LOAD && (h->p_flags & PF_X))
			objects[n_objects++] =
			        (struct object){ info->dlpi_addr + h->p_vaddr,
				                 info->dlpi_addr + h->p_vaddr + h->p_memsz,
				                 program ? "" : info->dlpi_name, info->dlpi_addr,
				                 is_named(program ? "weir" : info->dlpi_name,
				                          names) };
	}
	return 0;
}

static const struct object *find_object(const void *address)
{
	for (size_t i = 0; i < n_objects; i++)
		if ((uintptr_t)address >= objects[i].first && (uintptr_t)address < objects[i].end)
			return &objects[i];
	return NULL;
}

static void note_failure(void)
{
	inside = true;
	report->n_frames = backtrace(report->frames, FRAMES_MAX);
	inside = false;
	atomic_store(&report->failed, true);
}

/* Where our own code called the library that allocates now. 0: nowhere, as in its own thread */
static uintptr_t find_site(void)
{
	uintptr_t id = 0;
	int n_ours = 0;
	void *frames[DEEP_MAX];

	inside = true;
	int n = backtrace(frames, DEEP_MAX);
	inside = false;
	for (int i = 2; i < n && n_ours < OURS_MAX; i++) {
		const struct object *o = find_object(frames[i]);

		if (o && !o->name[0]) {
			id = id * 31 + (uintptr_t)frames[i];
			n_ours++;
		}
	}
	return id;
}

/* Whether this is the each_nth allocation of a call of ours. One thread */
static bool is_entry(void)
{
	uintptr_t id = find_site();
	size_t i = 0;

	if (!id)
		return false;
	while (i < n_sites && sites[i].id != id)
		i++;
	if (i == SITES_MAX)
		abort();
	if (i == n_sites)
		sites[n_sites++] = (struct site){ id, 0 };
	return ++sites[i].n == each_nth;
}

/* Whether the allocation that @p caller asks for is the one that fails. */
static bool allocation_fails(const void *caller)
{
	unsigned long at = atomic_load_explicit(&fail_at, memory_order_relaxed);

	if (!at || inside)
		return false;
	const struct object *o = find_object(caller);
	if (!o || !o->counted || (each_nth && !is_entry()) ||
	    atomic_fetch_add(&report->n, 1) + 1 != at)
		return false;
	note_failure();
	errno = ENOMEM;
	return true;
}

void *malloc(size_t n)
{
	if (!find_reals())
		return alloc_early(n);
	return allocation_fails(__builtin_return_address(0)) ? NULL : real.malloc(n);
}

void *calloc(size_t n, size_t size)
{
	if (!find_reals())
		return alloc_early(n * size);
	return allocation_fails(__builtin_return_address(0)) ? NULL : real.calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	if (!find_reals() || is_early(p))
		abort();
	return n && allocation_fails(__builtin_return_address(0)) ? NULL : real.realloc(p, n);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	if (!find_reals() || is_early(p))
		abort();
	return bytes && allocation_fails(__builtin_return_address(0)) ? NULL
	                                                              : real.realloc(p, bytes);
}

int posix_memalign(void **out, size_t align, size_t n)
{
	find_reals();
	return allocation_fails(__builtin_return_address(0)) ? ENOMEM
	                                                     : real.posix_memalign(out, align, n);
}

void *aligned_alloc(size_t align, size_t n)
{
	find_reals();
	return allocation_fails(__builtin_return_address(0)) ? NULL : real.aligned_alloc(align, n);
}

char *strdup(const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = NULL;

	if (find_reals() && !allocation_fails(__builtin_return_address(0)))
		copy = real.malloc(n);
	return copy ? memcpy(copy, text, n) : NULL;
}

char *strndup(const char *text, size_t most)
{
	size_t n = strnlen(text, most);
	char *copy = NULL;

	if (find_reals() && !allocation_fails(__builtin_return_address(0)))
		copy = real.malloc(n + 1);
	if (!copy)
		return NULL;
	copy[n] = '\0';
	return memcpy(copy, text, n);
}

void free(void *p)
{
	if (p && !is_early(p) && find_reals())
		real.free(p);
}

static void prepare_runs(void)
{
	const char *names = getenv("FAIL_LIBS");
	void *frames[1];

	backtrace(frames, 1); /* loads what it needs */
	n_objects = 0;
	dl_iterate_phdr(note_object, (void *)(uintptr_t)(names ? names : "weir,libc.,libjansson"));
}

void fail_arm(unsigned long n)
{
	if (!n_objects)
		prepare_runs();
	atomic_store(&report->n, 0);
	atomic_store(&report->failed, false);
	atomic_store(&fail_at, n);
	armed_at = n;
}

void fail_arm_entry(unsigned long nth, unsigned long n)
{
	n_sites = 0;
	each_nth = nth;
	fail_arm(n);
}

bool fail_disarm(void)
{
	atomic_store(&fail_at, 0);
	return atomic_load(&report->failed);
}

bool fail_pause(void)
{
	return atomic_exchange(&fail_at, 0) != 0;
}

void fail_resume(void)
{
	atomic_store(&fail_at, armed_at);
}

void fail_show(FILE *out)
{
	for (int i = 1; i < report->n_frames; i++) {
		const struct object *o = find_object(report->frames[i]);

		if (o)
			fprintf(out, "%s+0x%lx\n", o->name[0] ? o->name : "/proc/self/exe",
			        (unsigned long)((uintptr_t)report->frames[i] - o->base - 1));
	}
}

static void write_record(FILE *out, unsigned long n, int status, int output)
{
	static char text[OUTPUT_MAX];
	ssize_t got = pread(output, text, sizeof(text), 0);
	int code = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
	char *trace = NULL;
	size_t n_trace = 0;
	FILE *f = open_memstream(&trace, &n_trace);

	fail_show(f);
	fclose(f);
	fprintf(out, "%lu %d %d %zu %zd\n", n, code, (int)atomic_load(&report->failed), n_trace,
	        got > 0 ? got : 0);
	fwrite(trace, 1, n_trace, out);
	fwrite(text, 1, got > 0 ? (size_t)got : 0, out);
	fflush(out); /* or the next child would write it again at its end */
	free(trace);
}

/* One run of the program. @return whether an allocation failed in it; the child returns into main() */
static bool run_once(FILE *out, unsigned long n, bool *child)
{
	int output = memfd_create("output", 0), status = 0;

	atomic_store(&report->n, 0);
	atomic_store(&report->failed, false);
	report->n_frames = 0;
	pid_t pid = fork();
	if (pid == 0) {
		dup2(output, 1);
		dup2(output, 2);
		alarm(RUN_LIMIT_S);
		atomic_store(&fail_at, n);
		*child = true;
		return true;
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	write_record(out, n, status, output);
	close(output);
	return atomic_load(&report->failed);
}

static int serve_runs(int argc, char **argv, char **env)
{
	const char *first = getenv("FAIL_FIRST"), *step = getenv("FAIL_STEP"),
	           *most = getenv("FAIL_RUNS");
	unsigned long n = first ? strtoul(first, NULL, 10) : 1,
	              by = step ? strtoul(step, NULL, 10) : 1,
	              runs = most ? strtoul(most, NULL, 10) : ~0ul;
	FILE *out = fopen(getenv("FAIL_OUT"), "we");
	bool child = false;

	prepare_runs();
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	if (!out || report == MAP_FAILED)
		abort();
	while (runs-- && run_once(out, n, &child)) {
		if (child)
			return real_main(argc, argv, env);
		n += by;
	}
	fclose(out);
	return 0;
}

/* glibc's, which it declares nowhere. */
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
	int (*start)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
	             void (*)(void), void *);

	*(void **)&start = find_real("__libc_start_main");
	real_main = main;
	return start(getenv("FAIL_OUT") ? serve_runs : main, argc, argv, init, fini, rtld_fini,
	             stack_end);
}
