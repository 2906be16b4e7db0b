#include "probe/access.h"

#include <stdlib.h>

#include "base/clock.h"

struct err *access_open(
    const struct probe_config *config, struct links *links, struct access *ret_access)
{
    struct access *access = ret_access;
    probe_secret_refer(&config->password, &access->arena, &access->ref);
    access->user = config->user;
    access->every_us = probe_limits_of(config)->secret_every_ms * 1000;
    access->resolved_us = clock_now_us();
    AUTO_SECRET password = {0};
    struct err *err = secret_resolve(&access->ref, &password);
    if (err == NULL) {
        links_set_password(links, access->user, &password);
    }
    return err;
}

static void *resolve(void *context)
{
    struct access *access = context;
    access->err = secret_resolve(&access->ref, &access->fresh);
    atomic_store(&access->is_done, true);
    return NULL;
}

static void start_resolving(struct access *access, int64_t now_us)
{
    atomic_store(&access->is_done, false);
    if (pthread_create(&access->thread, NULL, resolve, access) != 0) {
        abort(); /* out of threads is out of memory: base/mem.h */
    }
    access->is_resolving = true;
    access->resolved_us = now_us;
}

/* Without a new one the old one stays: the server's words are in the record already. */
static bool finish_resolving(struct access *access)
{
    (void)pthread_join(access->thread, NULL);
    access->is_resolving = false;
    const bool has_password = access->err == NULL;
    err_free(access->err);
    access->err = NULL;
    return has_password;
}

void access_step(struct access *access, struct links *links, int64_t now_us)
{
    if (access->is_resolving) {
        if (!atomic_load(&access->is_done)) {
            return;
        }
        if (finish_resolving(access)) {
            links_set_password(links, access->user, &access->fresh);
        }
        secret_release(&access->fresh);
    }
    if (links->is_refused && now_us - access->resolved_us >= access->every_us) {
        links->is_refused = false;
        start_resolving(access, now_us);
    }
}

void access_close(struct access *access)
{
    if (access->is_resolving) {
        (void)finish_resolving(access);
    }
    secret_release(&access->fresh);
    arena_release(&access->arena);
}
