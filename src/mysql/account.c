/* Accounts and the list of them. */
#include "mysql/account.h"

#include "base/mem.h"
#include "base/rand.h"

#include <stdlib.h>

struct account_list {
    struct account *at;
    size_t n;
    struct account decoy;
    /* Chooses the plugins of decoys. Made of the accounts, so that a restart changes nothing that
     * could be seen from outside. */
    uint8_t key[AUTH_CACHING_SHA2_LEN];
};

int account_init(struct account *a, const char *name, const char *password, enum auth_plugin plugin,
                 struct err *err)
{
    *a = (struct account){.plugin = plugin};
    if (!*name || strlen(name) >= sizeof a->name)
        return err_set(err, "an account's name must have 1 to %zu bytes", sizeof a->name - 1);
    if (!*password)
        return err_set(err, "the account %s has no password", name);
    strcpy(a->name, name);
    auth_native_hash(a->native, bytes_str(password));
    auth_sha2_hash(a->sha2, bytes_str(password));
    return 0;
}

void account_fini(struct account *a)
{
    mem_wipe(a, sizeof *a);
}

struct account_list *account_list_new(void)
{
    struct account_list *l = mem_alloc(sizeof *l);
    l->decoy.decoy = true;
    rand_bytes(l->decoy.native, sizeof l->decoy.native);
    rand_bytes(l->decoy.sha2, sizeof l->decoy.sha2);
    return l;
}

void account_list_free(struct account_list *l)
{
    if (!l)
        return;
    mem_wipe(l->at, l->n * sizeof *l->at);
    free(l->at);
    mem_wipe(l, sizeof *l);
    free(l);
}

/* SHA-256 of the key and what is added to it. */
static void mix(const struct account_list *l, struct bytes with,
                uint8_t digest[AUTH_CACHING_SHA2_LEN])
{
    struct buf all;
    buf_init(&all);
    wr_bytes(&all, bytes_of(l->key, sizeof l->key));
    wr_bytes(&all, with);
    auth_sha2_hash(digest, buf_bytes(&all));
    buf_fini_secret(&all);
}

int account_list_add(struct account_list *l, const struct account *a, struct err *err)
{
    if (account_list_find(l, a->name))
        return err_set(err, "the account %s is there twice", a->name);
    /* Not by realloc, which may leave a copy of the hashes behind. */
    struct account *at = mem_alloc((l->n + 1) * sizeof *at);
    if (l->n)
        memcpy(at, l->at, l->n * sizeof *at);
    at[l->n] = *a;
    mem_wipe(l->at, l->n * sizeof *at);
    free(l->at);
    l->at = at;
    l->n++;
    mix(l, bytes_of(a->sha2, sizeof a->sha2), l->key);
    return 0;
}

const struct account *account_list_find(const struct account_list *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->at[i].name, name) == 0)
            return &l->at[i];
    return NULL;
}

const struct account *account_list_decoy(struct account_list *l, const char *name)
{
    uint8_t digest[AUTH_CACHING_SHA2_LEN];
    mix(l, bytes_str(name), digest);
    l->decoy.plugin = l->n ? l->at[le64(digest) % l->n].plugin : AUTH_PLUGIN_CACHING_SHA2;
    mem_wipe(digest, sizeof digest);
    size_t len = strlen(name);
    len = len < sizeof l->decoy.name ? len : sizeof l->decoy.name - 1;
    memcpy(l->decoy.name, name, len);
    l->decoy.name[len] = 0;
    return &l->decoy;
}
