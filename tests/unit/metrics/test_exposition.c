/* Text for Prometheus. */
#include "check.h"

#include "metrics/exposition.h"

static struct buf out;
static struct exposition e = {.out = &out};

static void assert_text(const char *expected)
{
    wr_u8(&out, 0);
    char *text = strdup((const char *)buf_bytes(&out).p);
    buf_fini(&out);
    buf_init(&out);
    assert_string_equal(text, expected);
    free(text);
}

static void exposition_family_has_help_and_type(void **state)
{
    (void)state;
    exposition_begin(&e, "a_total", EXPOSITION_COUNTER, "One\\two\nthree \"four\".");
    exposition_value(&e, NULL, UINT64_MAX);
    assert_text("# HELP a_total One\\\\two\\nthree \"four\".\n"
                "# TYPE a_total counter\n"
                "a_total 18446744073709551615\n");
}

static void exposition_label_values_are_escaped(void **state)
{
    (void)state;
    struct exposition_label labels[] = {{"host", "a\"b\\c\nd\t\xff"}, {"id", ""}, {NULL, NULL}};
    exposition_begin(&e, "g", EXPOSITION_GAUGE, "h");
    exposition_value(&e, labels, 0);
    exposition_seconds(&e, labels + 1, 1500000);
    exposition_seconds(&e, labels + 2, 1000001);
    exposition_seconds(&e, NULL, 7000000);
    assert_text("# HELP g h\n# TYPE g gauge\n"
                "g{host=\"a\\\"b\\\\c\\nd??\",id=\"\"} 0\n"
                "g{id=\"\"} 1.500000\n"
                "g 1.000001\n"
                "g 7\n");
}

static void exposition_histogram_is_cumulative(void **state)
{
    (void)state;
    struct histogram h = {0};
    histogram_add(&h, 15);
    histogram_add(&h, 60);
    histogram_add(&h, 70);
    histogram_add(&h, 20000000);
    exposition_begin(&e, "d_seconds", EXPOSITION_HISTOGRAM, "h");
    exposition_histogram(&e, &h);
    assert_text("# HELP d_seconds h\n# TYPE d_seconds histogram\n"
                "d_seconds_bucket{le=\"0.000020\"} 1\n"
                "d_seconds_bucket{le=\"0.000050\"} 1\n"
                "d_seconds_bucket{le=\"0.000100\"} 3\n"
                "d_seconds_bucket{le=\"0.000200\"} 3\n"
                "d_seconds_bucket{le=\"0.000500\"} 3\n"
                "d_seconds_bucket{le=\"0.001000\"} 3\n"
                "d_seconds_bucket{le=\"0.002000\"} 3\n"
                "d_seconds_bucket{le=\"0.005000\"} 3\n"
                "d_seconds_bucket{le=\"0.010000\"} 3\n"
                "d_seconds_bucket{le=\"0.020000\"} 3\n"
                "d_seconds_bucket{le=\"0.050000\"} 3\n"
                "d_seconds_bucket{le=\"0.100000\"} 3\n"
                "d_seconds_bucket{le=\"0.200000\"} 3\n"
                "d_seconds_bucket{le=\"0.500000\"} 3\n"
                "d_seconds_bucket{le=\"1\"} 3\n"
                "d_seconds_bucket{le=\"2\"} 3\n"
                "d_seconds_bucket{le=\"5\"} 3\n"
                "d_seconds_bucket{le=\"10\"} 3\n"
                "d_seconds_bucket{le=\"+Inf\"} 4\n"
                "d_seconds_sum 20.000145\n"
                "d_seconds_count 4\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exposition_family_has_help_and_type),
        cmocka_unit_test(exposition_label_values_are_escaped),
        cmocka_unit_test(exposition_histogram_is_cumulative),
    };
    return RUN_TESTS(tests);
}
