/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Put before each source of a tree with mutants (mutate.py): which mutant is awake, and which have
 * been asked. mutate.py defines MUTANTS_MAX.
 */
#ifndef WEIR_TESTS_PLANT_MUTANT_H
#define WEIR_TESTS_PLANT_MUTANT_H

/* As the system's headers say, which must not be read here: a source may define feature macros first. */
extern char *getenv(const char *);
extern int open(const char *, int, ...);
extern int close(int);
extern void *mmap(void *, unsigned long, int, int, int, long);

struct mutants {
	int awake;
	unsigned char asked[MUTANTS_MAX];
};

static struct mutants *mutants_now __attribute__((unused));

/* Maps the file that the environment names. A process without it is as the source is. */
__attribute__((constructor, unused)) static void mutants_map(void)
{
	const char *path = getenv("WEIR_MUTANTS");
	int fd = path ? open(path, 2 /* O_RDWR */) : -1;
	void *at = fd >= 0 ? mmap((void *)0, sizeof(struct mutants), 3 /* read, write */,
	                          1 /* MAP_SHARED */, fd, 0)
	                   : (void *)-1;

	if (fd >= 0)
		close(fd);
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
