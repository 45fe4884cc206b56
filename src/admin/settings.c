/*
 * The keys of the configuration as global variables: SECTION.KEY, after the way in which a server
 * names the variables of its components. What SET GLOBAL changes holds until the configuration is
 * read again.
 */
#include "admin/admin_priv.h"

struct search {
    struct bytes name;
    struct admin_setting *found;
    struct query *q;
    bool hit;
};

/* MySQL's name for a key, where the meaning is the same. */
static const struct {
    const char *variable;
    const char *key;
} aliases[] = {
    {"max_connections", "server.max_connections"},
    {"rpl_semi_sync_master_wait_for_slave_count", "server.wait_for_replicas"},
    {"rpl_semi_sync_source_wait_for_replica_count", "server.wait_for_replicas"},
};

static const char *keep(struct query *q, const char *text)
{
    size_t n = strlen(text) + 1;
    uint8_t *p = query_alloc(q, n);
    return p ? memcpy(p, text, n) : "";
}

static void look_at(void *arg, const struct admin_setting *setting)
{
    struct search *s = arg;
    if (s->hit || !sql_same(s->name, setting->name))
        return;
    s->hit = true;
    *s->found = *setting;
    s->found->name = keep(s->q, setting->name);
    s->found->value = keep(s->q, setting->value);
}

/* They tell who copies what from where. */
static bool may_see(const struct query *q)
{
    return (q->session->rights & (ADMIN_RIGHT_STATUS | ADMIN_RIGHT_ADMIN)) != 0;
}

void settings_each(struct query *q, admin_setting_fn fn, void *arg)
{
    if (q->env->each_setting && may_see(q))
        q->env->each_setting(q->env->ctx, fn, arg);
}

bool setting_find(struct query *q, struct bytes name, struct admin_setting *setting)
{
    struct search s = {name, setting, q, false};
    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
        if (sql_same(name, aliases[i].variable))
            s.name = bytes_str(aliases[i].key);
    }
    if (s.name.n && memchr(s.name.p, '.', s.name.n))
        settings_each(q, look_at, &s);
    return s.hit;
}

bool settings_apply(struct query *q, const struct admin_assignment *items, size_t n)
{
    struct admin_error e = {ER_NOT_SUPPORTED_YET, "This statement is not supported yet"};
    if (!n || (q->env->set && q->env->set(q->env->ctx, items, n, &e)))
        return true;
    return query_fail(q, e.code, "%s", e.text);
}
