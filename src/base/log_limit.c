/* Bounds the lines of a kind. */
#include "base/log_limit.h"

bool log_limit_pass(struct log_limit *l, uint64_t now_us)
{
    bool over = now_us - l->began_us >= l->period_s * (uint64_t)1000000;
    if (!l->began_us || (over && !l->left_out)) {
        l->began_us = now_us;
        l->passed = 0;
    }
    bool pass = l->passed < l->lines;
    *(pass ? &l->passed : &l->left_out) += 1;
    return pass;
}

uint32_t log_limit_end(struct log_limit *l, uint64_t now_us)
{
    uint32_t n = l->left_out;
    l->began_us = now_us;
    l->passed = l->left_out = 0;
    return n;
}
