/* All inbound sessions. */
#include "replica/hub.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "session.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define WAKE_PRIORITY  (-2) /* replicas come after the ACKs */
#define WAKES_PER_TURN 16u
#define LOGGING_IN_MAX 256u

struct hub {
    struct hub_opts opts;
    uint8_t *scratch;
    struct session *sessions;
    struct session *dead; /* closed, to be freed in the next turn */
    struct ev_timer wake; /* fed when T moved or a session died */
    bool moved;
    bool awaited_moved;      /* those whose ACKs are awaited have not been woken since */
    struct session *to_wake; /* the next, of those that are being woken; NULL: all were */
    uint32_t next_id;
    struct point acked;
    struct hub_stats stats;
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
    for (struct session *s = h->sessions, *next; s && n < WAKES_PER_TURN; s = next) {
        next = s->next;
        n += s->semi_sync;
        if (s->semi_sync)
            session_moved(s);
    }
}

/* A few sessions in a turn of the loop, so that what the source sends meanwhile is read, and
 * acknowledged, before all of them have been served. */
static void wake_sessions(struct hub *h)
{
    if (!h->to_wake && h->moved) { /* a pass under way comes to its end first */
        h->to_wake = h->sessions;
        h->moved = false;
    }
    for (unsigned n = 0; h->to_wake && n < WAKES_PER_TURN; n++) {
        struct session *s = h->to_wake;
        h->to_wake = s->next; /* before: the session may end */
        session_moved(s);
    }
    if (h->to_wake || h->moved) {
        ev_timer_set(&h->wake, 0, 0);
        ev_timer_start(h->opts.loop, &h->wake);
    }
}

static void on_wake(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    struct hub *h = w->data;
    wake_awaited(h);
    wake_sessions(h);
    free_dead(h);
}

struct hub *hub_new(const struct hub_opts *opts)
{
    struct hub *h = mem_alloc(sizeof *h);
    h->opts = *opts;
    h->scratch = mem_alloc(DUMP_SCRATCH);
    ev_init(&h->wake, on_wake);
    ev_set_priority(&h->wake, WAKE_PRIORITY);
    h->wake.data = h;
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
    free(h->scratch);
    free(h);
}

void hub_moved(struct hub *h)
{
    h->moved = h->awaited_moved = true;
    ev_feed_event(h->opts.loop, &h->wake, EV_TIMER);
}

void hub_session_gone(struct hub *h, struct session *s)
{
    if (h->to_wake == s)
        h->to_wake = s->next;
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

static uint32_t logging_in(const struct hub *h)
{
    uint32_t n = 0;
    for (const struct session *s = h->sessions; s; s = s->next)
        n += s->state == SESSION_LOGIN;
    return n;
}

void hub_accept(struct hub *h, int fd, const struct addr *peer)
{
    h->stats.connections++;
    bool full = h->stats.connected >= h->opts.max_connections;
    if (full || logging_in(h) >= LOGGING_IN_MAX) {
        static const char refusal[] = "\x17\0\0\0\xff\x10\x04Too many connections";
        char text[ADDR_TEXT_MAX];
        addr_format(peer, text);
        log_warn("replica", "%s is refused: %s", text,
                 full ? "the limit of max_connections is reached"
                      : "too many connections are logging in");
        if (write(fd, refusal, sizeof refusal - 1) < 0)
            log_debug("replica", "%s was gone already", text);
        close(fd);
        return;
    }
    struct session *s = session_new(h, &h->opts, h->scratch, &h->stats, fd, peer, ++h->next_id);
    if (!s)
        return;
    link_session(&h->sessions, s);
    if (++h->stats.connected > h->stats.max_used)
        h->stats.max_used = h->stats.connected;
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

bool hub_kill(struct hub *h, uint32_t id)
{
    for (struct session *s = h->sessions; s; s = s->next)
        if (s->id == id) {
            session_kill(s);
            return true;
        }
    return false;
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
