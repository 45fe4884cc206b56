/* The tokenizer and its patterns. */
#include "check.h"

#include "admin/sql.h"
#include "base/buf.h"

#define VERSION 90704

/* Each token as a letter of its kind and its value; scopes as g, s or p behind the letter. */
static void describe(const struct sql *q, struct buf *text)
{
    static const char letters[] = {[SQL_END] = '.',           [SQL_WORD] = 'w',
                                   [SQL_QUOTED] = 'q',        [SQL_STRING] = 's',
                                   [SQL_NUMBER] = 'n',        [SQL_HEX] = 'x',
                                   [SQL_USER_VARIABLE] = 'u', [SQL_SYSTEM_VARIABLE] = 'v',
                                   [SQL_OPERATOR] = 'o',      [SQL_BAD] = '!'};
    static const char *const scopes[] = {"", "g", "s", "p"};
    for (size_t i = 0; i < q->count; i++) {
        const struct sql_token *t = &q->tokens[i];
        wr_fmt(text, "%s%c%s", i ? " " : "", letters[t->kind], scopes[t->scope]);
        if (t->value.n)
            wr_u8(text, ':');
        wr_bytes(text, t->value);
    }
    wr_u8(text, 0);
}

static void statements_are_cut_into_tokens(void **state)
{
    static const struct {
        const char *sql;
        const char *tokens;
    } cases[] = {
        {"", "."},
        {" \t\r\n;; ", "."},
        {"SELECT 1", "w:SELECT n:1 ."},
        {"select @@GLOBAL.server_id;", "w:select vg:server_id ."},
        {"@@session.x @@local.x @@Persist.x @@persist_only.x @@x", "vs:x vs:x vp:x vp:x v:x ."},
        {"@@global.a.b @@`x y` @@global.`z`", "vg:a.b v:x y vg:z ."},
        {"@a=1,@B:=2", "u:a o:= n:1 o:, u:B o::= n:2 ."},
        {"@`a b` @'c''d' @\"e\" @a.b$c_1", "u:a b u:c'd u:e u:a.b$c_1 ."},
        {"@", "u ."},
        {"@@", "! ."},
        {"@@global.", "v:global. ."},
        {"'it''s' \"a\"\"b\" `c``d`", "s:it's s:a\"b q:c`d ."},
        {"'a\\'b\\\\\\n\\%\\_\\x'", "s:a'b\\\n\\%\\_x ."},
        {"'\\", "! ."},
        {"'abc\\'", "! ."},
        {"'open", "! ."},
        {"\"open", "! ."},
        {"`open", "! ."},
        {"1.5 .5 1. 1e3 1E-2 1e 1x 12abc", "n:1.5 n:.5 n:1. n:1e3 n:1E-2 w:1e w:1x w:12abc ."},
        {"0x4a 0xg x'4142' X'1' x'zz'", "x:4a w:0xg x:4142 ! ."},
        {"a/* b */c", "w:a w:c ."},
        {"a /* open", "w:a ! ."},
        {"/**/a/***/", "w:a ."},
        {"/*! a */ /*!50110 b */ /*M!50110 c */d", "w:a w:b w:c w:d ."},
        {"/*!90704 a */ /*!090704 b */ /*!90705 c */d /*!100100e*/", "w:a w:b w:d ."},
        {"/*M!100100 a */b", "w:b ."},
        {"/*!99999 a /* b */ ' \" c */d", "w:d ."},
        {"/*!99999 a */ /*!50000 b */", "w:b ."},
        {"/*!99999 a /* b */", "! ."},
        {"/*!99999 a /* b", "! ."},
        {"/*!99999", "! ."},
        {"/*!9999 a*/", "n:9999 w:a ."},
        {"/*!", "! ."},
        {"/*!50000 a", "! ."},
        {"/*! a '*/'", "w:a s:*/ ! ."},
        {"a -- b\nc", "w:a w:c ."},
        {"a --", "w:a ."},
        {"a--b", "w:a o:- o:- w:b ."},
        {"a # b\nc#", "w:a w:c ."},
        {"a<=>b<=c>=d<>e!=f&&g||h<i", "w:a o:<=> w:b o:<= w:c o:>= w:d o:<> w:e o:!= w:f o:&& w:g "
                                      "o:|| w:h o:< w:i ."},
        {"a*/b", "w:a o:* o:/ w:b ."},
        {"\xc3\xa9t\xc3\xa9", "w:\xc3\xa9t\xc3\xa9 ."},
        {"_utf8'a'", "w:_utf8 s:a ."},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sql q;
        struct buf text;
        buf_init(&text);
        sql_init(&q, bytes_str(cases[i].sql), VERSION);
        describe(&q, &text);
        assert_string_equal(buf_bytes(&text).p, cases[i].tokens);
        sql_fini(&q);
        buf_fini(&text);
    }
    (void)state;
}

static void a_statement_of_too_many_tokens_ends_in_a_bad_one(void **state)
{
    static char text[3 * SQL_TOKENS_MAX];
    struct sql q;
    memset(text, '(', sizeof(text));
    sql_init(&q, bytes_of(text, sizeof(text)), VERSION);
    assert_int_equal(q.count, SQL_TOKENS_MAX + 2);
    assert_int_equal(q.tokens[SQL_TOKENS_MAX].kind, SQL_BAD);
    assert_int_equal(q.tokens[SQL_TOKENS_MAX + 1].kind, SQL_END);
    sql_fini(&q);
    sql_init(&q, bytes_of(text, SQL_TOKENS_MAX), VERSION);
    assert_int_equal(q.tokens[SQL_TOKENS_MAX].kind, SQL_END);
    sql_fini(&q);
    (void)state;
}

static void patterns_take_what_fits_and_else_nothing(void **state)
{
    static const struct {
        const char *sql;
        const char *pattern;
        size_t taken; /* SIZE_MAX: does not fit */
    } cases[] = {
        {"show Global variables", "SHOW global VARIABLES", 3},
        {"show variables", "show [global|session] variables", 2},
        {"show session variables x", "show [global|session] variables", 3},
        {"show sessions variables", "show [global|session] variables", SIZE_MAX},
        {"count(*) errors", "count ( * ) warnings|errors", 5},
        {"`show` variables", "show variables", SIZE_MAX},
        {"'show'", "show", SIZE_MAX},
        {"show", "show variables", SIZE_MAX},
        {"", "[x]", 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sql q;
        sql_init(&q, bytes_str(cases[i].sql), VERSION);
        bool fits = sql_match(&q, cases[i].pattern);
        assert_int_equal(fits, cases[i].taken != SIZE_MAX);
        assert_int_equal(q.at, fits ? cases[i].taken : 0);
        sql_fini(&q);
    }
    (void)state;
}

static void match_all_wants_the_end(void **state)
{
    struct sql q;
    sql_init(&q, bytes_str("begin work"), VERSION);
    assert_false(sql_match_all(&q, "begin"));
    assert_int_equal(q.at, 0);
    assert_true(sql_match_all(&q, "begin [work]"));
    sql_fini(&q);
    (void)state;
}

static void numbers_are_taken_when_they_fit(void **state)
{
    uint64_t v = 0;
    struct sql q;
    sql_init(&q, bytes_str("18446744073709551615 18446744073709551616 1.5"), VERSION);
    assert_true(sql_take_u64(&q, &v));
    assert_int_equal(v, UINT64_MAX);
    assert_false(sql_take_u64(&q, &v));
    assert_int_equal(q.at, 1);
    sql_next(&q);
    assert_false(sql_take_u64(&q, &v));
    sql_fini(&q);
    (void)state;
}

static void near_names_the_rest_and_the_line(void **state)
{
    size_t line;
    struct sql q;
    sql_init(&q, bytes_str("a\nb\n 'c' d ; "), VERSION);
    sql_next(&q);
    sql_next(&q);
    assert_true(bytes_eq(sql_near(&q, &line), bytes_str("'c' d")));
    assert_int_equal(line, 3);
    sql_next(&q);
    sql_next(&q);
    sql_next(&q);
    assert_true(sql_at_end(&q));
    assert_int_equal(sql_near(&q, &line).n, 0);
    sql_fini(&q);
    (void)state;
}

static void like_knows_its_wildcards(void **state)
{
    static const struct {
        const char *text, *pattern;
        bool fits;
    } cases[] = {
        {"server_id", "SERVER_ID", true},
        {"server_id", "server\\_id", true},
        {"serverxid", "server\\_id", false},
        {"serverxid", "server_id", true},
        {"abc", "%", true},
        {"", "%", true},
        {"", "", true},
        {"", "_", false},
        {"abc", "a%c", true},
        {"abcbc", "a%bc", true},
        {"abcbd", "a%bc", false},
        {"abc", "abc%%", true},
        {"abc", "%b", false},
        {"a%c", "a\\%c", true},
        {"abc", "a\\%c", false},
        {"a\\", "a\\", true},
        {"rpl_semi_sync_source_enabled", "rpl_semi_sync_%_enabled", true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t steps = 1000;
        bool fits = sql_like(bytes_str(cases[i].text), bytes_str(cases[i].pattern), &steps);
        assert_int_equal(fits, cases[i].fits);
        assert_true(steps > 0);
    }
    (void)state;
}

static void like_stops_when_its_steps_are_used_up(void **state)
{
    static char text[20000], pattern[10000];
    uint64_t steps = 100000;
    memset(text, 'a', sizeof(text));
    memset(pattern, 'a', sizeof(pattern));
    pattern[0] = '%';
    pattern[sizeof(pattern) - 1] = 'b';
    assert_false(
        sql_like(bytes_of(text, sizeof(text)), bytes_of(pattern, sizeof(pattern)), &steps));
    assert_int_equal(steps, 0);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_are_cut_into_tokens),
        cmocka_unit_test(a_statement_of_too_many_tokens_ends_in_a_bad_one),
        cmocka_unit_test(patterns_take_what_fits_and_else_nothing),
        cmocka_unit_test(match_all_wants_the_end),
        cmocka_unit_test(numbers_are_taken_when_they_fit),
        cmocka_unit_test(near_names_the_rest_and_the_line),
        cmocka_unit_test(like_knows_its_wildcards),
        cmocka_unit_test(like_stops_when_its_steps_are_used_up),
    };
    return RUN_TESTS(tests);
}
