/* All inbound sessions. */
#include "replica/hub.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/log_limit.h"
#include "base/mem.h"
#include "replica/failures.h"
#include "session.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/resource.h>
#include <unistd.h>

#define WAKE_PRIORITY (-2) /* replicas come after the ACKs */
#define GATE_PRIORITY (-2) /* and strangers */

/* When T moves, a few replicas are woken at once, a crowd in steps: a loop that is busy with a
 * thousand of them leaves neither itself nor the journal's thread a CPU for the next commit. The
 * last of a crowd comes after about as many milliseconds as there are steps. */
#define WAKES_PER_STEP_MIN 16u
#define WAKE_STEPS         64u
#define WAKE_STEP_S        0.001

/* Sessions that log in. */
#define ENTERING_MAX            256u
#define ENTERING_PER_SOURCE_MAX 64u

/* Descriptors: a session has a socket and a file; the rest is for the store and the daemon. */
#define DESCRIPTORS_PER_SESSION 2u
#define DESCRIPTORS_RESERVED    32u

#define LINES_PERIOD_S 10u
#define LINES_REFUSED  10u
#define LINES_AUDIT    3000u /* a thousand replicas that come back at the same time */

struct hub {
    struct hub_opts opts;
    uint8_t *scratch;
    struct session *sessions;
    struct session *dead; /* closed, to be freed in the next turn */
    struct ev_timer wake; /* fed when T moved or a session died; runs between two steps */
    bool moved;
    bool awaited_moved;      /* those whose ACKs are awaited have not been woken since */
    struct session *to_wake; /* the next, of those that are being woken; NULL: all were */
    uint32_t next_id;
    struct point acked;
    struct hub_stats stats;
    struct session *entering[ENTERING_MAX];
    uint32_t entering_n;
    struct failures *failures;
    struct gate gate; /* for those that log in */
    struct log_limit lines[HUB_LINES_AUDIT + 1];
    struct ev_timer tell; /* of lines that were left out */
};

static void link_session(struct session **head, struct session *s)
{
    s->next = *head;
    s->link = head;
    if (s->next)
        s->next->link = &s->next;
    *head = s;
}

static void unlink_session(struct session *s)
{
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    s->next = NULL;
}

static void free_dead(struct hub *h)
{
    while (h->dead) {
        struct session *s = h->dead;
        unlink_session(s);
        session_free(s);
    }
}

/* Their ACKs are part of ours to the source: before those that nobody waits for. */
static void wake_awaited(struct hub *h)
{
    unsigned n = 0;
    if (!h->awaited_moved || !h->opts.wait_for_replicas)
        return;
    h->awaited_moved = false;
    for (struct session *s = h->sessions, *next; s && n < WAKES_PER_STEP_MIN; s = next) {
        next = s->next;
        n += s->semi_sync;
        if (s->semi_sync)
            session_moved(s);
    }
}

static void wake_step(struct hub *h)
{
    uint32_t share = h->stats.connected / WAKE_STEPS;
    uint32_t step = share > WAKES_PER_STEP_MIN ? share : WAKES_PER_STEP_MIN;
    if (!h->to_wake && h->moved) { /* a pass under way comes to its end first */
        h->to_wake = h->sessions;
        h->moved = false;
    }
    for (uint32_t n = 0; h->to_wake && n < step;) {
        struct session *s = h->to_wake;
        h->to_wake = s->next; /* before: the session may end */
        n += s->waiting;
        session_moved(s);
    }
    if (h->to_wake || h->moved) {
        ev_timer_set(&h->wake, WAKE_STEP_S, 0);
        ev_timer_start(h->opts.loop, &h->wake);
    }
}

static void on_wake(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    struct hub *h = w->data;
    wake_awaited(h);
    if (!ev_is_active(w)) /* else it was fed between two steps */
        wake_step(h);
    free_dead(h);
}

/* ---- lines that clients can cause ---- */

void hub_log(struct hub *h, enum hub_lines kind, const char *fmt, ...)
{
    char text[1000];
    va_list ap;
    if (!log_limit_pass(&h->lines[kind], clock_now_us())) {
        if (!ev_is_active(&h->tell))
            ev_timer_again(h->opts.loop, &h->tell);
        return;
    }
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    log_bounded(kind == HUB_LINES_REFUSED ? LOG_WARN : LOG_INFO, "replica", "%s", text);
}

static void on_tell(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)revents;
    struct hub *h = w->data;
    uint64_t now_us = clock_now_us();
    uint32_t refused = log_limit_end(&h->lines[HUB_LINES_REFUSED], now_us);
    uint32_t audit = log_limit_end(&h->lines[HUB_LINES_AUDIT], now_us);
    ev_timer_stop(loop, w);
    if (refused)
        log_warn("replica", "%" PRIu32 " more refusals and failed logins were not logged", refused);
    if (audit)
        log_warn("replica", "%" PRIu32 " more logins and dumps were not logged", audit);
}

static void init_lines(struct hub *h)
{
    h->lines[HUB_LINES_REFUSED] = (struct log_limit){LINES_REFUSED, LINES_PERIOD_S, 0, 0, 0};
    h->lines[HUB_LINES_AUDIT] = (struct log_limit){LINES_AUDIT, LINES_PERIOD_S, 0, 0, 0};
    ev_init(&h->tell, on_tell);
    h->tell.repeat = LINES_PERIOD_S;
    h->tell.data = h;
}

struct hub *hub_new(const struct hub_opts *opts)
{
    struct hub *h = mem_alloc(sizeof *h);
    h->opts = *opts;
    h->scratch = mem_alloc(DUMP_SCRATCH);
    ev_init(&h->wake, on_wake);
    ev_set_priority(&h->wake, WAKE_PRIORITY);
    h->wake.data = h;
    gate_init(&h->gate, opts->loop, GATE_PRIORITY);
    h->failures = failures_new(FAILURES_ADDRESSES_MAX);
    init_lines(h);
    return h;
}

/* ---- what replicas have acknowledged ---- */

static bool same_replica(const struct session *a, const struct session *b)
{
    return a->server_id == b->server_id || (*a->uuid && strcasecmp(a->uuid, b->uuid) == 0);
}

static bool has(const struct session *s, const struct point *p)
{
    return s->state == SESSION_DUMPING && s->semi_sync && s->server_id &&
           point_cmp(&s->acked, p) >= 0;
}

/* Whether n replicas have all up to there, each counted once. */
static bool enough_have(const struct hub *h, const struct point *p, uint32_t n)
{
    uint32_t found = 0;
    for (const struct session *s = h->sessions; s && found < n; s = s->next) {
        if (!has(s, p))
            continue;
        const struct session *o = h->sessions;
        while (o != s && !(has(o, p) && same_replica(o, s)))
            o = o->next;
        found += o == s;
    }
    return found >= n;
}

/* The highest point that a session has acknowledged below a limit; all zero: none. */
static struct point next_below(const struct hub *h, const struct point *limit)
{
    struct point best = {0};
    for (const struct session *s = h->sessions; s; s = s->next)
        if (has(s, &best) && point_cmp(&s->acked, limit) < 0)
            best = s->acked;
    return best;
}

/* Looks from p downwards for what enough of them have; what they had once they have. */
static void update_acked(struct hub *h, struct point p)
{
    while (point_cmp(&p, &h->acked) > 0) {
        if (enough_have(h, &p, h->opts.wait_for_replicas)) {
            h->acked = p;
            h->opts.acked(h->opts.ctx);
            return;
        }
        p = next_below(h, &p);
    }
}

void hub_session_acked(struct hub *h, const struct session *s)
{
    if (h->opts.wait_for_replicas)
        update_acked(h, s->acked);
}

struct point hub_acked(const struct hub *h)
{
    return h->acked;
}

/* Another number of replicas has acknowledged other things. */
static void recount(struct hub *h)
{
    static const struct point highest = {UINT_MAX, UINT64_MAX, UINT64_MAX};
    h->acked = (struct point){0};
    if (h->opts.wait_for_replicas)
        update_acked(h, next_below(h, &highest));
}

/* Replicas that were sent all there is while nobody asked for an ACK would never give one: they
 * come again at once, and asking for a place is an ACK. */
static void end_unasked(struct hub *h)
{
    for (struct session *s = h->sessions, *next; s; s = next) {
        next = s->next;
        if (s->state != SESSION_DUMPING || !s->semi_sync || !s->waiting)
            continue;
        struct point sent = dump_sent(s->dump);
        if (point_cmp(&s->acked, &sent) < 0)
            session_end(s, NULL, "its ACKs are wanted from now on");
    }
}

/* ---- the outside ---- */

void hub_reconfigure(struct hub *h, const struct hub_opts *opts)
{
    bool other_tls = h->opts.tls != opts->tls;
    uint32_t waited = h->opts.wait_for_replicas;
    h->opts = *opts;
    if (waited != opts->wait_for_replicas)
        recount(h);
    if (!waited && opts->wait_for_replicas)
        end_unasked(h);
    for (struct session *s = h->sessions, *next; s && other_tls; s = next) {
        next = s->next;
        if (s->state == SESSION_LOGIN) /* it may be about to use what goes */
            session_end(s, NULL, "the certificate changes");
    }
}

void hub_free(struct hub *h)
{
    if (!h)
        return;
    while (h->sessions)
        session_end(h->sessions, NULL, "binlogd stops");
    free_dead(h);
    ev_timer_stop(h->opts.loop, &h->wake);
    ev_timer_stop(h->opts.loop, &h->tell);
    gate_fini(&h->gate);
    failures_free(h->failures);
    free(h->scratch);
    free(h);
}

void hub_moved(struct hub *h)
{
    h->moved = h->awaited_moved = true;
    ev_feed_event(h->opts.loop, &h->wake, EV_TIMER);
}

/* ---- logins ---- */

uint32_t hub_judged(struct hub *h, struct session *s)
{
    uint64_t now_us = clock_now_us();
    uint32_t delay_s = failures_delay_s(h->failures, s->source, now_us);
    if (s->acceptor.denied)
        failures_add(h->failures, s->source, now_us);
    else if (!s->acceptor.failed)
        failures_clear(h->failures, s->source);
    h->stats.delayed += delay_s > 0;
    return delay_s;
}

bool hub_admits(const struct hub *h, const struct account *account)
{
    uint32_t n = 0;
    for (const struct session *s = h->sessions; s && account->max_connections; s = s->next)
        n += s->admitted && strcmp(login_server_user(s->acceptor.machine), account->name) == 0;
    return !account->max_connections || n < account->max_connections;
}

void hub_logged_in(struct hub *h, struct session *s)
{
    struct session *last = h->entering[--h->entering_n];
    h->entering[s->entering_at] = last;
    last->entering_at = s->entering_at;
}

static uint32_t entering_from(const struct hub *h, uint64_t source)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < h->entering_n; i++)
        n += h->entering[i]->source == source;
    return n;
}

void hub_session_gone(struct hub *h, struct session *s)
{
    if (h->to_wake == s)
        h->to_wake = s->next;
    if (s->state == SESSION_LOGIN)
        hub_logged_in(h, s);
    unlink_session(s);
    link_session(&h->dead, s);
    ev_feed_event(h->opts.loop, &h->wake, EV_TIMER);
    h->stats.connected--;
}

/* As a source does: the replica comes anew, its old connection is a ghost. */
void hub_dump_begins(struct hub *h, struct session *s)
{
    for (struct session *o = h->sessions, *next; o; o = next) {
        next = o->next;
        bool same =
            *s->uuid || *o->uuid ? strcasecmp(s->uuid, o->uuid) == 0 : s->server_id == o->server_id;
        if (o != s && o->state == SESSION_DUMPING && s->server_id && same)
            session_end(o,
                        h->opts.old_words
                            ? "A slave with the same server_uuid/server_id as this slave has "
                              "connected to the master"
                            : "A replica with the same server_uuid/server_id as this replica has "
                              "connected to the source",
                        NULL);
    }
}

static uint32_t sessions_max(const struct hub *h)
{
    struct rlimit limit;
    uint32_t max = h->opts.max_connections;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return max;
    uint64_t open =
        limit.rlim_cur < DESCRIPTORS_RESERVED ? 0 : limit.rlim_cur - DESCRIPTORS_RESERVED;
    return open / DESCRIPTORS_PER_SESSION < max ? (uint32_t)(open / DESCRIPTORS_PER_SESSION) : max;
}

/* Why one more cannot be, NULL when it can. */
static const char *no_room(const struct hub *h, const struct addr *peer)
{
    if (h->stats.connected >= h->opts.max_connections)
        return "the limit of max_connections is reached";
    if (h->stats.connected >= sessions_max(h))
        return "the process may not have more files open";
    if (h->entering_n >= ENTERING_MAX)
        return "too many connections are logging in";
    if (entering_from(h, addr_source(peer)) >= ENTERING_PER_SOURCE_MAX)
        return "too many connections from there are logging in";
    return NULL;
}

static void refuse(struct hub *h, int fd, const struct addr *peer, const char *why)
{
    static const char refusal[] = "\x17\0\0\0\xff\x10\x04Too many connections";
    char text[ADDR_TEXT_MAX];
    addr_format(peer, text);
    hub_log(h, HUB_LINES_REFUSED, "connection refused: address=%s reason=\"%s\"", text, why);
    if (write(fd, refusal, sizeof refusal - 1) < 0)
        log_debug("replica", "%s was gone already", text);
    close(fd);
}

void hub_accept(struct hub *h, int fd, const struct addr *peer)
{
    h->stats.connections++;
    const char *why = no_room(h, peer);
    if (why) {
        refuse(h, fd, peer, why);
        return;
    }
    struct session_opts opts = {h, &h->opts, &h->gate, h->scratch, &h->stats, peer, ++h->next_id};
    struct session *s = session_new(&opts, fd);
    if (!s)
        return;
    link_session(&h->sessions, s);
    s->entering_at = h->entering_n++;
    h->entering[s->entering_at] = s;
    if (++h->stats.connected > h->stats.max_used)
        h->stats.max_used = h->stats.connected;
    session_begin(s);
}

static void describe(const struct session *s, struct hub_session_info *info)
{
    *info = (struct hub_session_info){
        .id = s->id,
        .user = s->acceptor.machine ? login_server_user(s->acceptor.machine) : "",
        .dumping = s->state == SESSION_DUMPING,
        .by_gtid = s->by_gtid,
        .registered = s->server_id != 0,
        .server_id = s->server_id,
        .report_host = s->report_host,
        .report_port = s->report_port,
        .uuid = s->uuid,
        .since_s = (clock_now_us() - s->state_since_us) / 1000000u,
        .pos = {"", 0},
        .semi_sync = s->state == SESSION_DUMPING && s->semi_sync,
        .acked = s->acked,
    };
    memcpy(info->host, s->host, sizeof info->host);
    if (s->dump)
        info->pos = dump_pos(s->dump);
}

void hub_each(struct hub *h, void (*fn)(void *arg, const struct hub_session_info *info), void *arg)
{
    for (const struct session *s = h->sessions; s; s = s->next) {
        struct hub_session_info info;
        describe(s, &info);
        fn(arg, &info);
    }
}

void hub_answer(struct hub *h, uint32_t id, struct bytes packets)
{
    for (struct session *s = h->sessions; s; s = s->next)
        if (s->id == id) {
            session_answer(s, packets);
            return;
        }
}

static bool end_session(struct hub *h, uint32_t id, void (*end)(struct session *s))
{
    for (struct session *s = h->sessions; s; s = s->next)
        if (s->id == id) {
            end(s);
            return true;
        }
    return false;
}

bool hub_kill(struct hub *h, uint32_t id)
{
    return end_session(h, id, session_kill);
}

bool hub_kill_dump(struct hub *h, uint32_t id)
{
    return end_session(h, id, session_kill_dump);
}

void hub_stats(const struct hub *h, struct hub_stats *stats)
{
    *stats = h->stats;
    stats->dumping = stats->semi_sync = 0;
    for (const struct session *s = h->sessions; s; s = s->next) {
        stats->dumping += s->state == SESSION_DUMPING;
        stats->semi_sync += s->state == SESSION_DUMPING && s->semi_sync;
    }
}
