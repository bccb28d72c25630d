/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * At the top of each source with mutants (mutate.py): which mutant is awake, and which have been
 * asked. mutate.py defines MUTANTS_MAX.
 */
#ifndef WEIR_TESTS_PLANT_MUTANT_H
#define WEIR_TESTS_PLANT_MUTANT_H

/*
 * The system's headers must not be read here: a source may define feature macros first. And not by
 * their names: a test may have defined these.
 */
extern char *mutants_getenv(const char *) __asm__("getenv");
extern int mutants_open(const char *, int, ...) __asm__("open");
extern int mutants_close(int) __asm__("close");
extern void *mutants_mmap(void *, unsigned long, int, int, int, long) __asm__("mmap");

struct mutants {
	int awake;
	unsigned char asked[MUTANTS_MAX];
};

static struct mutants *mutants_now __attribute__((unused));

/* Maps the file that the environment names. A process without it is as the source is. */
__attribute__((constructor, unused)) static void mutants_map(void)
{
	const char *path = mutants_getenv("WEIR_MUTANTS");
	int fd = path ? mutants_open(path, 2 /* O_RDWR */) : -1;
	void *at = fd >= 0 ? mutants_mmap((void *)0, sizeof(struct mutants), 3 /* read, write */,
	                                  1 /* MAP_SHARED */, fd, 0)
	                   : (void *)-1;

	if (fd >= 0)
		mutants_close(fd);
	mutants_now = at == (void *)-1 ? (void *)0 : at;
}

__attribute__((unused)) static inline int mutant_awake(int n)
{
	if (!mutants_now)
		return 0;
	mutants_now->asked[n] = 1;
	return *(volatile int *)&mutants_now->awake == n;
}

#endif
