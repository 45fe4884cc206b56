/* Which files are to go: reasons, limits, clocks. */
#include "check.h"

#include "store/expiry.h"

#define DAY 86400
#define NOW (20000 * DAY)
#define MAX 8

/* Files of 100 bytes; begun so many days ago, -1: not known. */
struct row {
    const char *what;
    int begun[MAX + 1]; /* ends with 0, the newest */
    struct expiry_rules rules;
    size_t may;
    uint64_t free;
    int newest_ago; /* days; -1: not known */
    size_t n;
    enum expiry_stop stop;
    enum expiry_reason reason; /* of the first */
};

static size_t plan(const struct row *r, struct expiry_plan *plan, struct expiry_file *files)
{
    struct expiry_input in = {.files = files,
                              .may = r->may,
                              .free = r->free,
                              .now = NOW,
                              .newest =
                                  r->newest_ago < 0 ? 0 : NOW - (uint32_t)r->newest_ago * DAY};
    do {
        int ago = r->begun[in.n];
        files[in.n] = (struct expiry_file){100, ago < 0 ? 0 : NOW - (uint32_t)ago * DAY, 0};
    } while (r->begun[in.n++]);
    expiry_plan(plan, &r->rules, &in);
    return in.n;
}

static void expiry_plan_by_table(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"no rules", {9, 8, 7, 0}, {0, 0, 0}, 2, 0, 0, 0, EXPIRY_ENOUGH, EXPIRY_NONE},
        {"what follows says when a file ended",
         {9, 8, 7, 6, 0},
         {7, 0, 0},
         3,
         0,
         0,
         1,
         EXPIRY_ENOUGH,
         EXPIRY_AGE},
        {"as old as allowed is not older",
         {9, 8, 7, 6, 0},
         {8, 0, 0},
         3,
         0,
         0,
         0,
         EXPIRY_ENOUGH,
         EXPIRY_NONE},
        {"half of them", {9, 8, 7, 6, 5, 0}, {1, 0, 0}, 4, 0, 0, 3, EXPIRY_SHARE, EXPIRY_AGE},
        {"half of three", {9, 8, 0}, {1, 0, 0}, 2, 0, 0, 1, EXPIRY_ENOUGH, EXPIRY_AGE},
        {"held", {9, 8, 7, 6, 5, 0}, {1, 0, 0}, 1, 0, 0, 1, EXPIRY_HELD, EXPIRY_AGE},
        {"all held", {9, 8, 7, 0}, {1, 0, 0}, 0, 0, 0, 0, EXPIRY_HELD, EXPIRY_AGE},
        {"the clock is ahead of the events",
         {9, 8, 7, 6, 6, 0},
         {5, 0, 0},
         5,
         0,
         4,
         0,
         EXPIRY_ENOUGH,
         EXPIRY_NONE},
        {"no event was seen", {9, 8, 7, 0}, {1, 0, 0}, 2, 0, -1, 0, EXPIRY_ENOUGH, EXPIRY_NONE},
        {"a time that is not known stays",
         {9, -1, 7, 6, 0},
         {1, 0, 0},
         3,
         0,
         0,
         0,
         EXPIRY_ENOUGH,
         EXPIRY_NONE},
        {"one file", {0}, {1, 1, 1}, 0, 0, 0, 0, EXPIRY_ENOUGH, EXPIRY_NONE},
        {"too large", {9, 8, 7, 6, 5, 0}, {0, 401, 0}, 4, 0, 0, 2, EXPIRY_ENOUGH, EXPIRY_SIZE},
        {"as large as allowed", {9, 8, 7, 0}, {0, 400, 0}, 4, 0, 0, 0, EXPIRY_ENOUGH, EXPIRY_NONE},
        {"by size half at once", {9, 8, 7, 0}, {0, 1, 0}, 3, 0, 0, 2, EXPIRY_SHARE, EXPIRY_SIZE},
        {"too little free",
         {9, 8, 7, 6, 5, 0},
         {0, 0, 1000},
         4,
         801,
         0,
         2,
         EXPIRY_ENOUGH,
         EXPIRY_FREE},
        {"enough free", {9, 8, 7, 0}, {0, 0, 1000}, 4, 1000, 0, 0, EXPIRY_ENOUGH, EXPIRY_NONE},
        {"age before size", {9, 8, 7, 0}, {7, 300, 1}, 4, 1000, 0, 1, EXPIRY_ENOUGH, EXPIRY_AGE},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *r = &rows[i];
        struct expiry_file files[MAX + 1];
        struct expiry_plan p;
        size_t n = plan(r, &p, files);
        if (p.n != r->n || p.stop != r->stop || files[0].reason != r->reason ||
            p.bytes != 100 * r->n || (n > 1 && p.n >= n))
            fail_msg("%s: %zu files, stop %d, reason %d", r->what, p.n, (int)p.stop,
                     (int)files[0].reason);
    }
}

static void expiry_plan_clock_ahead_needs_events_that_are_ahead_too(void **state)
{
    (void)state;
    struct expiry_file files[4];
    struct row r = {.begun = {3, 2, 1, 0}, .rules = {30, 0, 0}, .may = 2};
    struct expiry_plan p;
    plan(&r, &p, files);
    struct expiry_input in = {files, 4, 2, 0, NOW + 1000 * (int64_t)DAY, NOW};
    expiry_plan(&p, &r.rules, &in);
    assert_int_equal(p.n, 0);
    in.now = 0; /* a clock that was never set */
    expiry_plan(&p, &r.rules, &in);
    assert_int_equal(p.n, 0);
}

static void expiry_before_counts_files_that_ended_before(void **state)
{
    (void)state;
    struct expiry_file files[4];
    struct row r = {.begun = {9, 8, 7, 0}};
    struct expiry_plan p;
    size_t n = plan(&r, &p, files);
    assert_int_equal(expiry_before(files, n, NOW - 8 * DAY), 0);
    assert_int_equal(expiry_before(files, n, NOW - 8 * DAY + 1), 1);
    assert_int_equal(expiry_before(files, n, NOW - 7 * DAY + 1), 2);
    assert_int_equal(expiry_before(files, n, NOW * 2LL), 3);
    assert_int_equal(expiry_before(files, n, -1), 0);
    assert_int_equal(expiry_before(files, 0, NOW), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expiry_plan_by_table),
        cmocka_unit_test(expiry_plan_clock_ahead_needs_events_that_are_ahead_too),
        cmocka_unit_test(expiry_before_counts_files_that_ended_before),
    };
    return RUN_TESTS(tests);
}
