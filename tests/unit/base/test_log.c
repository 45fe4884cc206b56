/* The log: form of a record, levels, escaping, reopening. */
#include "check.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *dir;
static char path[700];
static struct err err;
static uint64_t now_us; /* in place of the base library's clock */

uint64_t clock_now_us(void)
{
    return now_us;
}

int64_t clock_wall_us(void)
{
    return 1700000000000000 + (int64_t)now_us;
}

static int set_up(void **state)
{
    (void)state;
    dir = check_mkdir();
    snprintf(path, sizeof path, "%s/log", dir);
    now_us += LOG_INTERVAL_US; /* the last test's repeats are over */
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
    static char text[65536];
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

static size_t count_of(const char *what)
{
    size_t n = 0;
    for (const char *p = content(path); (p = strstr(p, what)); p++)
        n++;
    return n;
}

static void say_often(unsigned n)
{
    for (unsigned i = 1; i <= n; i++)
        log_warn("net", "peer %u", i);
}

static void log_repeats_beyond_the_burst_are_counted(void **state)
{
    (void)state;
    say_often(LOG_BURST + 1000);
    assert_int_equal(count_of("peer "), LOG_BURST);
    log_warn("net", "another %d", 1);
    assert_int_equal(count_of("another 1"), 1);
    now_us += LOG_INTERVAL_US - 1;
    log_tick();
    assert_int_equal(count_of("repeated"), 0);
    now_us++;
    log_tick();
    assert_int_equal(count_of(" warn net: repeated 1000 times more within 10 s, the last: peer "
                              "1030\n"),
                     1);
    say_often(2);
    assert_int_equal(count_of("peer 2\n"), 2);
    log_tick();
    assert_int_equal(count_of("repeated"), 1);
}

static void log_few_repeats_are_left_alone(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        say_often(LOG_BURST);
        now_us += LOG_INTERVAL_US;
    }
    assert_int_equal(count_of("peer "), 5 * LOG_BURST);
    assert_int_equal(count_of("repeated"), 0);
}

static void log_repeats_are_told_at_the_end(void **state)
{
    (void)state;
    say_often(LOG_BURST + 1);
    log_close();
    assert_int_equal(count_of("repeated 1 times more"), 1);
}

static void log_bounded_by_its_writer_is_left_alone(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3 * LOG_BURST; i++)
        log_bounded(LOG_INFO, "m", "state %u", i);
    assert_int_equal(count_of("state "), 3 * LOG_BURST);
}

static void log_debug_is_never_kept_back(void **state)
{
    (void)state;
    log_set_level(LOG_DEBUG);
    for (unsigned i = 0; i < 3 * LOG_BURST; i++)
        log_debug("m", "state %u", i);
    assert_int_equal(count_of("state "), 3 * LOG_BURST);
}

/* More messages than are watched: the oldest's repeats are told when its place is taken. */
static void log_many_messages_lose_no_count(void **state)
{
    (void)state;
    static char modules[100][8]; /* the same words of another module are another message */
    say_often(LOG_BURST + 7);
    for (size_t i = 0; i < COUNT_OF(modules); i++) {
        now_us++;
        snprintf(modules[i], sizeof modules[i], "m%zu", i);
        log_warn(modules[i], "message %zu", i);
    }
    assert_int_equal(count_of("message "), COUNT_OF(modules));
    assert_int_equal(count_of("repeated 7 times more"), 1);
}

static void log_problems_are_remembered_newest_first(void **state)
{
    (void)state;
    uint64_t warnings = log_total(LOG_WARN);
    log_set_level(LOG_ERROR);
    for (unsigned i = 0; i < LOG_PROBLEMS + 2; i++)
        log_warn("m", "trouble\n%u", i);
    log_error("n", "trouble\n%d", 4);
    log_info("m", "no trouble");
    const struct log_problem *p = log_problem(0);
    assert_string_equal(p->text, "trouble\\x0a4");
    assert_string_equal(p->module, "n");
    assert_int_equal(p->level, LOG_ERROR);
    assert_int_equal(p->times, 2);
    assert_int_equal(p->at_us, clock_wall_us());
    static const char *const others[] = {"trouble\\x0a6", "trouble\\x0a5", "trouble\\x0a3",
                                         "trouble\\x0a2"};
    for (unsigned i = 0; i < COUNT_OF(others); i++)
        assert_string_equal(log_problem(i + 1)->text, others[i]);
    assert_null(log_problem(LOG_PROBLEMS));
    assert_int_equal(log_total(LOG_WARN) - warnings, LOG_PROBLEMS + 2);
}

/* Standard error becomes the file for a moment. */
static void log_journal_gets_levels(void **state)
{
    (void)state;
    struct stat st;
    char told[64];
    int saved = dup(STDERR_FILENO);
    FILE *f = fopen(path, "a");
    dup2(fileno(f), STDERR_FILENO);
    fclose(f);
    fstat(STDERR_FILENO, &st);
    snprintf(told, sizeof told, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    setenv("JOURNAL_STREAM", told, 1);
    int rc = log_open("", LOG_INFO, &err);
    log_error("m", "bad");
    log_info("m", "good");
    setenv("JOURNAL_STREAM", "1:1", 1);
    rc += log_open("", LOG_INFO, &err);
    log_warn("m", "elsewhere");
    unsetenv("JOURNAL_STREAM");
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_int_equal(rc, 0);
    assert_true(strncmp(content(path), "<3>20", 5) == 0);
    assert_non_null(strstr(content(path), "\n<6>20"));
    assert_non_null(strstr(content(path), "\n20"));
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
        TEST(log_repeats_beyond_the_burst_are_counted),
        TEST(log_few_repeats_are_left_alone),
        TEST(log_repeats_are_told_at_the_end),
        TEST(log_bounded_by_its_writer_is_left_alone),
        TEST(log_debug_is_never_kept_back),
        TEST(log_many_messages_lose_no_count),
        TEST(log_problems_are_remembered_newest_first),
        TEST(log_journal_gets_levels),
        TEST(log_level_names_parse),
    };
    return RUN_TESTS(tests);
}
