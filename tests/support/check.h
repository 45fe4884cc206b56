/*
 * The one place that includes cmocka, with the headers it wants before it, and the helpers that
 * tests share. A failed assert leaves the test by longjmp: assert after a loop ran, never inside
 * its callbacks.
 */
#ifndef BINLOGD_TESTS_CHECK_H
#define BINLOGD_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])

/* Runs all tests of the table and gives main's return value. */
#define RUN_TESTS(tests) cmocka_run_group_tests(tests, NULL, NULL)

/* The bytes that a text of hex digits (spaces allowed) stands for; free(result.p) as uint8_t*. */
struct bytes check_unhex(const char *hex);
/* A new empty directory below TMPDIR; removed with all it holds by check_rmdir, which frees path.
 */
char *check_mkdir(void);
void check_rmdir(char *path);
/* Lets the process open so many descriptors more, at most 7; -1: as many as before. */
void check_limit_fds(int more);
/* The content of tests/data/NAME; free() it. */
uint8_t *check_data(const char *name, size_t *n);

#endif
