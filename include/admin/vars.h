/*
 * System variables and status variables: one table each, in the order in which SHOW lists them.
 *
 * Both generations of names exist side by side (MASTER/SLAVE and SOURCE/REPLICA, tx_ and
 * transaction_isolation), whatever the version, for the peers that ask are of all versions. What
 * only one product has depends on the source's.
 */
#ifndef BINLOGD_ADMIN_VARS_H
#define BINLOGD_ADMIN_VARS_H

#include "admin/admin.h"

#define VARS_SCRATCH 32

enum vars_type { VARS_TEXT, VARS_NUMBER, VARS_BOOL };

enum vars_scope {
    VARS_GLOBAL,  /* the same for all: SET GLOBAL only */
    VARS_SESSION, /* exists for a session only */
    VARS_BOTH,
};

/* Which daemon has the variable. */
enum vars_where { VARS_ANY, VARS_MYSQL, VARS_MARIADB, VARS_SEMI_SYNC };

/* What values are made of. */
struct vars_view {
    const struct admin_facts *facts;
    const struct admin_session *session;
    char scratch[VARS_SCRATCH];
};

struct vars_entry {
    const char *name;
    enum vars_type type;
    enum vars_scope scope;
    enum vars_where where;
    bool settable; /* SET of it is accepted (and has no effect); else it is read only */
    const char *fixed;
    /* When there is no fixed value. The text lives as long as the view and until the next value;
     * a bool is "1" or "0"; .p is NULL for SQL NULL. */
    struct bytes (*get)(struct vars_view *view);
};

/* The i-th, NULL past the last; those that this daemon does not have are among them. */
const struct vars_entry *vars_system_at(size_t i);
const struct vars_entry *vars_status_at(size_t i);
bool vars_exists(const struct vars_entry *v, const struct admin_facts *facts);
/* The system variable of this name, in any case; NULL if this daemon has none. */
const struct vars_entry *vars_find(const struct admin_facts *facts, struct bytes name);
/* The value as SELECT @@name gives it. */
struct bytes vars_value(const struct vars_entry *v, struct vars_view *view);
/* The value as SHOW gives it: ON and OFF, nothing for NULL. */
struct bytes vars_shown(const struct vars_entry *v, struct vars_view *view);

#endif
