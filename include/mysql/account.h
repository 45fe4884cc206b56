/*
 * Accounts that clients log in with: made from a password once, which is not kept.
 *
 * Names compare byte by byte. What rights mean is the owner's affair.
 */
#ifndef BINLOGD_MYSQL_ACCOUNT_H
#define BINLOGD_MYSQL_ACCOUNT_H

#include "mysql/auth.h"

#define ACCOUNT_NAME_MAX 256 /* bytes with the NUL */

struct account {
    char name[ACCOUNT_NAME_MAX];
    enum auth_plugin plugin;
    uint8_t native[AUTH_NATIVE_LEN];     /* SHA1(SHA1(password)) */
    uint8_t sha2[AUTH_CACHING_SHA2_LEN]; /* SHA256(SHA256(password)) */
    unsigned rights;
    uint32_t max_connections; /* at a time; 0: no cap of its own. The owner's affair too. */
    bool decoy;               /* stands in for an account that is not there: no password matches */
};

/* -1 if the name is empty or too long, or the password empty. */
int account_init(struct account *a, const char *name, const char *password, enum auth_plugin plugin,
                 struct err *err);
void account_fini(struct account *a); /* wipes it */

struct account_list;

struct account_list *account_list_new(void);
void account_list_free(struct account_list *l);
/* Copies it. -1 when the name is there already. */
int account_list_add(struct account_list *l, const struct account *a, struct err *err);
/* NULL when there is none; else valid until the next add, or free. */
const struct account *account_list_find(const struct account_list *l, const char *name);
/* What answers in place of an account that is not there; ask for it also when the account is, so
 * that both cost the same. A name has always the same plugin, one that accounts of the list have.
 * The decoy lives in the list until its next decoy, add or free. */
const struct account *account_list_decoy(struct account_list *l, const char *name);

#endif
