/* Dumps of MariaDB's files. */
#include "dump_maria.h"

#include "base/mem.h"
#include "binlog/maria_compat.h"
#include "mysql/errcode.h"

#include <stdlib.h>

/* @mariadb_slave_capability: each value includes those below it. */
#define KNOWS_ANNOTATE   1
#define TOLERATES_HOLES  2
#define KNOWS_CHECKPOINT 3
#define KNOWS_GTID       4
#define GTID_AT_FLAGS    (EVENT_HEADER + 12) /* behind number and domain */

/* Of one domain: the GTID that the replica has, or that it wants to stop at. */
struct goal {
    struct maria_gtid gtid;
    bool passed;
    bool elsewhere; /* nothing of this domain is here yet */
};

struct goals {
    struct goal *at; /* by domain */
    size_t n;
    size_t left; /* not passed */
};

struct dump_maria {
    const struct store *store;
    bool by_gtid;
    bool strict;
    bool annotate;
    unsigned capability;
    struct goals start;
    bool has_until;
    struct goals until;
    struct maria_state seen; /* the GTIDs sent or left out while there are goals */
    struct trx trx;
    bool inside;   /* of a group that is watched */
    bool skipping; /* it is left out */
    bool list_due; /* behind what is left out the replica is told where it is */
    bool end_due;  /* and behind the group that this is all */
    bool ended;
};

/* ---- goals ---- */

static void goals_take(struct goals *g, const struct maria_state *position)
{
    g->at = mem_alloc((position->n + 1) * sizeof *g->at);
    g->n = g->left = position->n;
    for (size_t i = 0; i < g->n; i++)
        g->at[i].gtid = position->at[i].gtid;
}

/* NULL when there is none, or when it is passed. */
static struct goal *goals_find(const struct goals *g, uint32_t domain)
{
    size_t low = 0, high = g->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (g->at[mid].gtid.domain < domain)
            low = mid + 1;
        else
            high = mid;
    }
    bool found = low < g->n && g->at[low].gtid.domain == domain && !g->at[low].passed;
    return found ? &g->at[low] : NULL;
}

static void goals_pass(struct goals *g, struct goal *goal)
{
    goal->passed = true;
    g->left--;
}

static bool contains(const struct maria_state *s, const struct maria_gtid *g)
{
    const struct maria_gtid *have = maria_state_find(s, g->domain, g->server_id);
    return have && have->seq >= g->seq;
}

/* ---- the start ---- */

static int take_position(struct goals *g, struct bytes text, uint16_t *code, struct err *err)
{
    struct maria_state position = {0};
    enum maria_parse p = maria_position_parse(&position, text, err);
    if (p == MARIA_PARSED)
        goals_take(g, &position);
    else
        *code = p == MARIA_DUPLICATE ? ER_DUPLICATE_GTID_DOMAIN : ER_INCORRECT_GTID_STATE;
    maria_state_fini(&position);
    return p == MARIA_PARSED ? 0 : -1;
}

static int not_here(const struct dump_maria *m, const struct maria_gtid *g, struct err *err)
{
    char text[MARIA_TEXT_MAX];
    const struct maria_gtid *last = maria_state_last(store_maria(m->store), g->domain);
    maria_gtid_format(g, text);
    return err_set(err,
                   "Error: connecting slave requested to start from GTID %s, which is not in the "
                   "master's binlog%s",
                   text,
                   last && last->seq >= g->seq
                       ? ". Since the master's binlog contains GTIDs with higher sequence numbers, "
                         "it probably means that the slave has diverged due to executing extra "
                         "erroneous transactions"
                       : "");
}

/* Whether the replica wants to stop before it would begin: then it need not be let begin. */
static bool stops_before(struct dump_maria *m, const struct maria_gtid *g)
{
    struct goal *until = goals_find(&m->until, g->domain);
    if (!m->has_until || (until && !contains(store_maria(m->store), &until->gtid)))
        return false;
    if (until)
        goals_pass(&m->until, until);
    return true;
}

static int check_goal(struct dump_maria *m, struct goal *goal, struct dump_maria_request *r,
                      struct err *err)
{
    const struct maria_state *here = store_maria(m->store);
    const struct maria_gtid *g = &goal->gtid;
    const struct maria_gtid *last = maria_state_last(here, g->domain);
    if (contains(here, g))
        return 0;
    if (!last) {
        goal->elsewhere = true;
        return 0;
    }
    if ((r->ignore_duplicates && last->seq < g->seq) || stops_before(m, g))
        return 0;
    /* Of a server that is known here: the replica has more of it than we. Other than a source,
     * which lost something then, a copy may just be behind. */
    if (!maria_state_find(here, g->domain, g->server_id))
        return not_here(m, g, err);
    maria_gtid_format(g, r->ahead);
    return 0;
}

static int start_by_gtid(struct dump_maria *m, struct dump_maria_request *r, struct err *err)
{
    m->by_gtid = true;
    m->has_until = r->until.p != NULL;
    if (take_position(&m->start, r->position, &r->code, err) < 0 ||
        (m->has_until && take_position(&m->until, r->until, &r->code, err) < 0))
        return -1;
    for (size_t i = 0; i < m->start.n; i++)
        if (check_goal(m, &m->start.at[i], r, err) < 0)
            return -1;
    return 0;
}

struct dump_maria *dump_maria_new(const struct store *store, struct dump_maria_request *r,
                                  struct err *err)
{
    struct dump_maria *m = mem_alloc(sizeof *m);
    m->store = store;
    m->strict = r->strict;
    m->annotate = r->annotate;
    m->capability = r->capability;
    if (!r->position.p || start_by_gtid(m, r, err) == 0)
        return m;
    dump_maria_free(m);
    return NULL;
}

void dump_maria_free(struct dump_maria *m)
{
    if (!m)
        return;
    free(m->start.at);
    free(m->until.at);
    maria_state_fini(&m->seen);
    free(m);
}

bool dump_maria_by_gtid(const struct dump_maria *m)
{
    return m->by_gtid;
}

/* Whether all that the replica lacks stands behind this list. A GTID in it is no hindrance when it
 * is the very last of its domain: what follows it follows the list. */
static bool all_behind(const struct dump_maria *m, const struct maria_state *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct maria_gtid *before = &list->at[i].gtid;
        const struct goal *goal = goals_find(&m->start, before->domain);
        if (!goal)
            return false;
        if (goal->gtid.server_id != before->server_id || goal->gtid.seq > before->seq)
            continue;
        if (goal->gtid.seq < before->seq || before != maria_state_last(list, before->domain))
            return false;
    }
    return true;
}

/* What the list says to be passed already will not come. */
static void pass_before(struct dump_maria *m, const struct maria_state *list)
{
    for (size_t i = 0; i < m->start.n; i++) {
        struct goal *g = &m->start.at[i];
        if (contains(list, &g->gtid))
            goals_pass(&m->start, g);
    }
    for (size_t i = 0; i < m->until.n; i++) {
        struct goal *g = &m->until.at[i];
        if (!g->passed && contains(list, &g->gtid))
            goals_pass(&m->until, g);
    }
    m->end_due = m->has_until && !m->until.left;
}

ssize_t dump_maria_find_file(struct dump_maria *m, struct dump_maria_request *r, struct err *err)
{
    size_t n = store_serving(m->store);
    if (!n)
        return err_set(err, "Could not find first log file name in binary log index file");
    if (n == 1 && !store_gtid_list(m->store, 0)) { /* a replica tries this error again */
        r->code = ER_UNKNOWN_ERROR;
        return err_set(err, "the first binary log has just been begun");
    }
    for (size_t i = n; i-- > 0;) {
        const struct maria_state *list = store_gtid_list(m->store, i);
        if (!list || !all_behind(m, list))
            continue;
        pass_before(m, list);
        return (ssize_t)i;
    }
    return err_set(err, "Could not find GTID state requested by slave in any binlog files. "
                        "Probably the slave state is too old and required binlog files have been "
                        "purged.");
}

bool dump_maria_resumes(const struct dump_maria *m)
{
    for (size_t i = 0; m->start.left && i < m->start.n; i++)
        if (!m->start.at[i].passed && !m->start.at[i].elsewhere)
            return true;
    return false;
}

/* ---- events ---- */

void dump_maria_file_begins(struct dump_maria *m)
{
    m->inside = m->skipping = false;
}

/* Whether the group is left out. -1: refused, and nothing has changed. */
static int pass_start(struct dump_maria *m, const struct maria_gtid *g, struct err *err)
{
    struct goal *goal = goals_find(&m->start, g->domain);
    if (!goal)
        return false;
    if (goal->elsewhere && !contains(store_maria(m->store), &goal->gtid))
        return not_here(m, &goal->gtid, err);
    bool same = g->server_id == goal->gtid.server_id;
    if (same && g->seq > goal->gtid.seq && m->strict) {
        char text[MARIA_TEXT_MAX];
        maria_gtid_format(&goal->gtid, text);
        return err_set(err,
                       "The binlog on the master is missing the GTID %s requested by the slave "
                       "(even though both a prior and a subsequent sequence number does exist), "
                       "and GTID strict mode is enabled",
                       text);
    }
    goal->elsewhere = false;
    bool leave_out = !same || g->seq <= goal->gtid.seq;
    if (same && g->seq >= goal->gtid.seq) {
        goals_pass(&m->start, goal);
        m->list_due = true;
    }
    return leave_out;
}

/* Whether the group is left out, for it stands behind where the replica stops. */
static bool pass_until(struct dump_maria *m, const struct maria_gtid *g)
{
    struct goal *goal = m->has_until ? goals_find(&m->until, g->domain) : NULL;
    if (!goal)
        return m->has_until;
    if (g->server_id != goal->gtid.server_id || g->seq < goal->gtid.seq)
        return false;
    goals_pass(&m->until, goal);
    m->end_due = !m->until.left;
    return g->seq > goal->gtid.seq;
}

static int begin_group(struct dump_maria *m, const struct event_header *h, struct bytes event,
                       struct err *err)
{
    struct maria_gtid g;
    uint8_t flags;
    if (!m->start.left && !m->has_until)
        return 0;
    if (maria_gtid_decode(&g, &flags, h, event, err) < 0)
        return err_set(err, "Failed to read Gtid_log_event: corrupt binlog");
    int leave_out = pass_start(m, &g, err);
    if (leave_out < 0)
        return -1;
    m->skipping = pass_until(m, &g) || leave_out;
    m->inside = m->skipping || m->end_due;
    maria_state_update(&m->seen, &g);
    return 0;
}

static void take_list(struct dump_maria *m, const struct fde *f, const struct event_header *h,
                      struct bytes event)
{
    struct err ignored;
    if (m->has_until && event.n == h->length)
        maria_state_decode(&m->seen, bytes_of(event.p, event.n - f->crc_len), &ignored);
}

/* What an event is for a replica that may know less than the source. */
enum fit { FIT_AS_IT_IS, FIT_NOT_WANTED, FIT_BEGIN, FIT_NOTHING };

static enum fit fit_gtid(const struct fde *f, const struct event_header *h, const uint8_t *event)
{
    if (h->length <= GTID_AT_FLAGS + (uint32_t)f->crc_len)
        return FIT_AS_IT_IS;
    uint8_t flags = event[GTID_AT_FLAGS];
    if (flags & MARIA_GTID_STANDALONE)
        return FIT_NOT_WANTED;
    return maria_compat_begins(h->length, f->crc_len, flags) ? FIT_BEGIN : FIT_NOTHING;
}

static enum fit fit(const struct dump_maria *m, const struct fde *f, const struct event_header *h,
                    const uint8_t *event)
{
    if (h->length < EVENT_HEADER + MARIA_COMPAT_BODY_MIN + (uint32_t)f->crc_len) /* no event */
        return FIT_AS_IT_IS;
    switch (h->type) {
    case EVENT_MARIADB_ANNOTATE_ROWS:
        return m->annotate || m->capability == KNOWS_ANNOTATE ? FIT_AS_IT_IS : FIT_NOT_WANTED;
    case EVENT_MARIADB_CHECKPOINT:
        return m->capability >= KNOWS_CHECKPOINT ? FIT_AS_IT_IS : FIT_NOT_WANTED;
    case EVENT_MARIADB_GTID_LIST:
        return m->capability >= KNOWS_GTID ? FIT_AS_IT_IS : FIT_NOT_WANTED;
    case EVENT_MARIADB_GTID:
        return m->capability >= KNOWS_GTID ? FIT_AS_IT_IS : fit_gtid(f, h, event);
    default:
        return FIT_AS_IT_IS;
    }
}

void dump_maria_fit(const struct dump_maria *m, const struct fde *f, const struct event_header *h,
                    uint8_t *event)
{
    switch (fit(m, f, h, event)) {
    case FIT_NOT_WANTED: /* it stays: this one would miscount without */
        maria_compat_dummy(event, h->length, f->crc_len);
        break;
    case FIT_BEGIN:
        maria_compat_begin(event, h->length, f->crc_len);
        break;
    case FIT_AS_IT_IS:
    case FIT_NOTHING:
        break;
    }
}

enum dump_maria_verdict dump_maria_judge(struct dump_maria *m, const struct fde *f,
                                         const struct event_header *h, struct bytes event,
                                         struct err *err)
{
    enum fit wanted = fit(m, f, h, event.p);
    if (wanted == FIT_NOTHING) {
        err_set(err,
                "Failed to replace GTID event with backwards-compatible event: corrupt event.");
        return DUMP_MARIA_BROKEN;
    }
    if (h->type == EVENT_MARIADB_GTID && begin_group(m, h, event, err) < 0)
        return DUMP_MARIA_REFUSE;
    if (h->type == EVENT_MARIADB_GTID_LIST)
        take_list(m, f, h, event);
    bool leave_out = m->skipping || (wanted == FIT_NOT_WANTED && m->capability >= TOLERATES_HOLES);
    if (m->inside && trx_feed(&m->trx, f, h, event) != TRX_INSIDE)
        m->inside = m->skipping = false;
    return leave_out ? DUMP_MARIA_LEAVE_OUT : DUMP_MARIA_SEND;
}

bool dump_maria_list_due(const struct dump_maria *m)
{
    return !m->ended && ((m->list_due && !m->skipping) || (m->end_due && !m->inside));
}

void dump_maria_put_list(struct dump_maria *m, struct buf *out, const struct event_make *opts)
{
    bool at_end = !m->list_due;
    struct buf body = {0};
    maria_state_encode(&m->seen, at_end ? MARIA_LIST_UNTIL : 0, &body);
    event_make_gtid_list(out, opts, buf_bytes(&body));
    buf_fini(&body);
    m->list_due = false;
    m->ended = at_end;
}

bool dump_maria_ended(const struct dump_maria *m)
{
    return m->ended;
}
