/*
 * What one connection has: who it is, its user variables, the last statement's error.
 *
 * Variables are few and small (ADMIN_USER_VARIABLES_MAX, ADMIN_USER_BYTES_MAX), so they are a plain
 * array. A value is one allocation: name, then text.
 */
#include "admin/admin_priv.h"

#include "base/mem.h"

#include <stdlib.h>

struct admin_variable {
    uint8_t *data; /* the name, then the text */
    size_t name;   /* bytes of it */
    size_t text;
    bool null;
    struct reply_column column;
};

void admin_session_init(struct admin_session *s, const struct admin_login *login)
{
    *s = (struct admin_session){.id = login->id, .rights = login->rights};
    s->user = mem_strdup(login->user);
    s->host = mem_strdup(login->host);
    if (login->database && admin_database_known(bytes_str(login->database)))
        snprintf(s->database, sizeof(s->database), "%s", login->database);
}

void admin_session_reset(struct admin_session *s)
{
    for (size_t i = 0; i < s->variable_count; i++)
        free(s->variables[i].data);
    free(s->variables);
    s->variables = NULL;
    s->variable_count = 0;
    s->variable_bytes = 0;
    session_warn(s, 0, NULL);
}

void admin_session_fini(struct admin_session *s)
{
    admin_session_reset(s);
    free(s->user);
    free(s->host);
    *s = (struct admin_session){0};
}

void session_warn(struct admin_session *s, uint16_t code, const char *message)
{
    free(s->warning);
    s->warning_level = ADMIN_ERROR;
    s->warning = message ? mem_strdup(message) : NULL;
    s->warning_code = code;
}

static struct admin_variable *find(const struct admin_session *s, struct bytes name)
{
    for (size_t i = 0; i < s->variable_count; i++) {
        struct admin_variable *v = &s->variables[i];
        if (sql_same_bytes(bytes_of(v->data, v->name), name))
            return v;
    }
    return NULL;
}

bool session_variable(const struct admin_session *s, struct bytes name, struct value *v)
{
    const struct admin_variable *found = find(s, name);
    if (!found)
        return false;
    v->text = found->null ? bytes_of(NULL, 0) : bytes_of(found->data + found->name, found->text);
    v->column = found->column;
    return true;
}

/* Text becomes a long text, as a variable can hold any; whole numbers stay what they are. */
static struct reply_column stored_column(const struct value *v, const struct admin_variable *old)
{
    struct reply_column c = {"", v->column.type, v->column.flags, v->column.decimals, 0};
    if (c.type == REPLY_TYPE_NULL && old)
        return old->column;
    if (c.type == REPLY_TYPE_VAR_STRING || c.type == REPLY_TYPE_DATETIME ||
        c.type == REPLY_TYPE_NULL) {
        c.type = REPLY_TYPE_LONG_BLOB;
        c.flags &= REPLY_FLAG_BINARY;
    }
    c.flags &= (uint16_t)~REPLY_FLAG_NOT_NULL;
    return c;
}

bool session_set(struct admin_session *s, struct bytes name, const struct value *v)
{
    struct admin_variable *old = find(s, name);
    size_t before = old ? old->name + old->text : 0;
    size_t after = name.n + v->text.n;
    if ((!old && s->variable_count == ADMIN_USER_VARIABLES_MAX) ||
        s->variable_bytes - before + after > ADMIN_USER_BYTES_MAX)
        return false;
    struct admin_variable made = {mem_alloc(after + 1), name.n, v->text.n, value_is_null(v),
                                  stored_column(v, old)};
    if (name.n)
        memcpy(made.data, name.p, name.n);
    if (v->text.n)
        memcpy(made.data + name.n, v->text.p, v->text.n);
    if (old) {
        free(old->data);
    } else {
        s->variables = mem_realloc(s->variables, (s->variable_count + 1) * sizeof(*s->variables));
        old = &s->variables[s->variable_count++];
    }
    *old = made;
    s->variable_bytes += after - before;
    return true;
}

bool admin_session_get(const struct admin_session *s, const char *name, struct bytes *value)
{
    struct value v;
    if (!session_variable(s, bytes_str(name), &v) || value_is_null(&v))
        return false;
    *value = v.text;
    return true;
}

bool admin_session_get_u64(const struct admin_session *s, const char *name, uint64_t *value)
{
    struct value v;
    return session_variable(s, bytes_str(name), &v) && value_to_u64(&v, value);
}
