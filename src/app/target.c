#include "app/target.h"

#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "model/version.h"

/* Is `longer` the version `shorter` or a more exact one of it ("7.0.15" of "7.0")? */
static bool is_of(const char *longer, const char *shorter)
{
    const size_t size = strlen(shorter);
    return strncmp(longer, shorter, size) == 0 && (longer[size] == '\0' || longer[size] == '.');
}

static struct err *complain(
    const struct inventory *inventory, const struct inv_datastore *datastore, const char *target)
{
    AUTO_BUF known = {0};
    for (size_t i = 0; datastore != NULL && i < datastore->version_count; i++) {
        buf_printf(&known, "%s%s", i == 0 ? "" : ", ", datastore->versions[i].name);
    }
    struct err *err = err_code(
        err_new(ERR_INVALID, inventory->path, "the inventory knows no version \"%s\"", target),
        "unknown_version");
    if (known.size == 0) {
        return err_hint(err, "list the version under `datastores:` in the inventory");
    }
    return err_hint(err,
        "known versions of %s: %s; another product is written out, as in \"valkey/8.1\"",
        datastore->name, buf_text(&known));
}

struct err *target_find(const struct inventory *inventory, const char *product, const char *target,
    struct arena *arena, struct inv_version *ret_version)
{
    struct version wanted;
    struct err *err = version_parse(arena, product, target, &wanted);
    if (err != NULL) {
        return err_code(err, "unknown_version");
    }
    const struct inv_datastore *datastore = inventory_find_datastore(inventory, wanted.product);
    const struct inv_version *best = NULL;
    struct version best_version = {0};
    for (size_t i = 0; datastore != NULL && i < datastore->version_count; i++) {
        const struct inv_version *candidate = &datastore->versions[i];
        struct version version;
        AUTO_ERR bad = version_parse(arena, datastore->name, candidate->name, &version);
        const bool fits = bad == NULL && (is_of(candidate->name, wanted.text) ||
                                             is_of(wanted.text, candidate->name));
        if (fits && (best == NULL || version_compare(&version, &best_version) > 0)) {
            best = candidate;
            best_version = version;
        }
    }
    if (best == NULL) {
        return complain(inventory, datastore, target);
    }
    *ret_version = *best;
    if (strlen(wanted.text) > strlen(best->name)) {
        ret_version->name = wanted.text; /* more exact than the inventory: the package must match */
    }
    return NULL;
}
