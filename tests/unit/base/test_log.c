/* The log: form of a record, levels, escaping, reopening. */
#include "check.h"

#include "base/log.h"
#include "base/mem.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char *dir;
static char path[700];
static struct err err;

static int set_up(void **state)
{
    (void)state;
    dir = check_mkdir();
    snprintf(path, sizeof path, "%s/log", dir);
    return log_open(path, LOG_INFO, &err);
}

static int tear_down(void **state)
{
    (void)state;
    log_close();
    check_rmdir(dir);
    return 0;
}

static const char *content(const char *name)
{
    static char text[8192];
    FILE *f = fopen(name, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    return text;
}

static void log_record_form(void **state)
{
    (void)state;
    regex_t re;
    log_info("store", "a %d", 1);
    assert_int_equal(regcomp(&re,
                             "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}"
                             "[+-][0-9]{2}:[0-9]{2} info store: a 1\n$",
                             REG_EXTENDED),
                     0);
    assert_int_equal(regexec(&re, content(path), 0, NULL, 0), 0);
    regfree(&re);
}

static void log_levels_below_are_dropped(void **state)
{
    (void)state;
    log_debug("m", "no");
    log_set_level(LOG_ERROR);
    log_warn("m", "no");
    log_error("m", "yes");
    assert_null(strstr(content(path), "no"));
    assert_non_null(strstr(content(path), " error m: yes\n"));
}

static void log_control_characters_escaped(void **state)
{
    (void)state;
    log_info("m", "a\nb\x1b[0m\t\x7f\xc3\xa9");
    assert_non_null(strstr(content(path), "m: a\\x0ab\\x1b[0m\\x09\\x7f\xc3\xa9\n"));
}

static void log_long_text_is_one_line(void **state)
{
    (void)state;
    char text[5000];
    memset(text, '\n', sizeof text - 1);
    text[sizeof text - 1] = 0;
    log_info("m", "%s", text);
    log_info("m", "next");
    const char *all = content(path);
    size_t lines = 0;
    for (const char *p = all; *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 2);
    assert_non_null(strstr(all, " m: next\n"));
}

static void log_reopened_goes_to_the_new_file(void **state)
{
    (void)state;
    char old[710];
    log_info("m", "first");
    snprintf(old, sizeof old, "%s.1", path);
    assert_int_equal(rename(path, old), 0);
    log_info("m", "second");
    assert_int_equal(log_open(path, LOG_INFO, &err), 0);
    log_info("m", "third");
    assert_non_null(strstr(content(old), "second"));
    assert_null(strstr(content(old), "third"));
    assert_non_null(strstr(content(path), "third"));
}

static void log_bad_path_keeps_the_old(void **state)
{
    (void)state;
    assert_int_equal(log_open("/nonexistent/log", LOG_INFO, &err), -1);
    assert_string_equal(err.text,
                        "cannot open the log file /nonexistent/log: No such file or directory");
    log_info("m", "still here");
    assert_non_null(strstr(content(path), "still here"));
}

static void log_level_names_parse(void **state)
{
    (void)state;
    for (int i = LOG_ERROR; i <= LOG_DEBUG; i++)
        assert_int_equal(log_level_parse(log_level_name((enum log_level)i)), i);
    assert_int_equal(log_level_parse("loud"), -1);
    assert_int_equal(log_level_parse(""), -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(log_record_form),
        TEST(log_levels_below_are_dropped),
        TEST(log_control_characters_escaped),
        TEST(log_long_text_is_one_line),
        TEST(log_reopened_goes_to_the_new_file),
        TEST(log_bad_path_keeps_the_old),
        TEST(log_level_names_parse),
    };
    return RUN_TESTS(tests);
}
