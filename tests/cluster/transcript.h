/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a person asks and is shown, as a text that is compared with the one that is kept in tests/cluster/expected/. Time and
 * chance are the seed's, so each answer is the same to the letter. Who changes what is shown runs `cluster --write`, and reads
 * what differs before it is kept.
 *
 * Implemented in tests/cluster/transcript.c; the scene's thread calls.
 */
#ifndef TESTS_CLUSTER_TRANSCRIPT_H
#define TESTS_CLUSTER_TRANSCRIPT_H

#include <stdbool.h>

#include "tests/cluster/scene.h"

/* Where the texts are kept, and whether what is shown now takes their place. */
void transcript_use(const char *folder, bool writes);
/* Begin one by the scene's name. */
void transcript_begin(void);
/* A line of the story. */
__attribute__((format(printf, 1, 2))) void transcript_say(const char *format, ...);
/* Ask, and note the answer whole; @return it: as node_ask() */
struct node_answer transcript_ask(struct node *n, const struct node_person *who, const char *method,
                                  const char *path, const char *body);
/*
 * GET each of these paths, which are words of a text, as an administrator. What this node was asked for before in this
 * transcript is noted by what differs since.
 */
void transcript_show(struct node *n, const char *paths);
/* A file of the state directory, noted so, too. */
void transcript_show_file(struct node *n, const char *name);
/* Compare it. The scene fails where it differs, and says the first line that does. */
void transcript_end(const struct scene *s);

#endif
