/* Which of the stored files are to go. */
#include "store/expiry.h"

#include <stdbool.h>

#define DAY_S 86400

/* What follows a file says when it ended; the last is never asked for. */
static bool ended_before(const struct expiry_file *file, int64_t time)
{
    return file[1].begun && file[1].begun < time;
}

static int64_t oldest_kept(const struct expiry_rules *rules, const struct expiry_input *in)
{
    int64_t now = in->now < in->newest ? in->now : in->newest;
    return rules->days ? now - (int64_t)rules->days * DAY_S : 0;
}

static uint64_t size_of_all(const struct expiry_input *in)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < in->n; i++)
        sum += in->files[i].size;
    return sum;
}

void expiry_plan(struct expiry_plan *plan, const struct expiry_rules *rules,
                 const struct expiry_input *in)
{
    size_t share = in->n / 2 ? in->n / 2 : 1;
    int64_t oldest = oldest_kept(rules, in);
    uint64_t size = size_of_all(in);
    *plan = (struct expiry_plan){.stop = EXPIRY_ENOUGH};
    for (size_t i = 0; i + 1 < in->n; i++) {
        struct expiry_file *f = &in->files[i];
        f->reason = ended_before(f, oldest)                                       ? EXPIRY_AGE
                    : rules->max_size && size - plan->bytes > rules->max_size     ? EXPIRY_SIZE
                    : rules->min_free && in->free + plan->bytes < rules->min_free ? EXPIRY_FREE
                                                                                  : EXPIRY_NONE;
        if (f->reason == EXPIRY_NONE)
            return;
        if (i >= in->may || i >= share) {
            plan->stop = i >= in->may ? EXPIRY_HELD : EXPIRY_SHARE;
            return;
        }
        plan->n++;
        plan->bytes += f->size;
    }
}

size_t expiry_before(const struct expiry_file *files, size_t n, int64_t time)
{
    size_t i = 0;
    while (i + 1 < n && ended_before(&files[i], time))
        i++;
    return i;
}

const char *expiry_reason_name(enum expiry_reason reason)
{
    static const char *const names[] = {"", "expire_days", "max_size", "min_free"};
    return names[reason];
}
