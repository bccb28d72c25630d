/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Text made of JSON by a template, for people: a sentence, a list's lines, a table's rows, a whole answer.
 *
 * | in a template | what is put there |
 * |---|---|
 * | `{PATH}` | the text at the path, "" where there is none: `{effect.state}`; `{}` is the value itself, `{^PATH}` of what the value is in |
 * | `{PATH:KIND}` | a value as KIND shows it |
 * | `{PATH|TEXT}`, `{PATH:KIND|TEXT}` | the same, or TEXT where there is none; a TEXT of 0 as KIND shows it |
 * | `{-8 PATH...}` | any of these in a column, as printf's `%-8s` |
 * | `[...]`, `[...|...]` | the first part of which each value is there, or has a TEXT; an empty text is not there |
 * | `{?PATH}`, `{!PATH}` | nothing; it is there if the value is (is not) true, an object, a text or list that is not empty, or a number but 0 |
 * | `{?PATH=TEXT}`, `{!PATH=TEXT}` | nothing; it is there if the value is (is not) this text; false is `false`, null `null`, an empty list `[]`, the number 0 `0` |
 * | `{*PATH}...{/}` | `...` for each of a list, or once for a record, whose values it then has by their names, and those around it by `{^PATH}`; without arguments. Between brackets it is always there |
 * | `{*20 PATH}...{/}` | the same for the first 20 that come to something, and how many more there are |
 * | `{*20 PATH|, }...{/}` | the same in a line, with a comma between them |
 * | `{*20 PATH of N}...{/}`, `{*PATH of N}...{/}` | the same of a list that the answer itself has cut, where the number N says how many there are |
 * | `%s` `%zu` `%.0f` `%%` | as printf does, from the arguments |
 *
 * Kinds: `n` a number without decimals, `number` with them; `count` how many a list has; `plural` "s" unless that, or a number, is one; `ppm` a share as "12.5 %"; `s` and `whole_s` milliseconds as "1.5 s" and "2 s"; a record's `members` as "a yes, b no"; the first 32 `names`, texts
 * with commas; `bits`, `traffic` (whole bits), `rate`, `share`, `time` and `offset` as in mgmt/json/units.h, which say that a value is not known.
 *
 * A path A/B is the number A as a part of B, in millionths, `{used/room:share}`; A-B is what is left of A, at least 0.
 *
 * Control characters in a value are shown as '?'; in an argument newlines and tabs stay. A template is the program's own: a fault in it is asserted.
 * Implemented in mgmt/json/row.c. Any thread.
 */
#ifndef WEIR_MGMT_JSON_ROW_H
#define WEIR_MGMT_JSON_ROW_H

#include <jansson.h>
#include <stdio.h>

/** Write a text as a value is shown: without control characters. */
void row_put(FILE *out, const char *text);
/** The same of several lines: newlines and tabs stay. */
void row_put_lines(FILE *out, const char *text);
/** Print @p from, whatever it is, on standard output by @p line. */
void row_print(const json_t *from, const char *line, ...) __attribute__((format(printf, 2, 3)));
/** Write it by a template without arguments, which may be a variable. */
void row_show(FILE *out, const json_t *from, const char *text);
/** As row_print() into @p size bytes, cut at a whole character. @return @p text */
const char *row_format(char *text, size_t size, const json_t *from, const char *line, ...)
        __attribute__((format(printf, 4, 5)));
/**
 * Write each of @p list, whatever it is, by @p line, which has no arguments; of those that come to something the first
 * @p most. @return how many these are
 */
size_t rows_write(FILE *out, const json_t *list, size_t most, const char *line);
/** All of them on standard output. */
void rows_print(const json_t *list, const char *line);
/** A cell by its template, given; NULL when out of memory. @param outer  what {^PATH} is of; NULL: nothing */
char *row_cell(const json_t *from, const json_t *outer, const char *cell);

#endif
