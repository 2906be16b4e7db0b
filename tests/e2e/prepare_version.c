/*
 * Makes a server version ready with the suite driver and prints where its program is, so that
 * end-to-end tests and the demo can start clusters in a version that no run has asked for yet.
 *
 *     prepare_version PRODUCT VERSION SUITE        e.g. redis 6.0 bullseye
 */
#include "base/mem.h"
#include "drivers/suite/suite.h"

enum { TIMEOUT_MS = 300000 };

static void print_progress(void *UNUSED(context), const char *text)
{
    fprintf(stderr, "%s\n", text);
}

static struct err *prepare(
    struct arena *arena, const struct inv_version *version, struct fact_artefact *ret_artefact)
{
    struct version parsed;
    struct err *err = version_parse(arena, version->product, version->name, &parsed);
    if (err != NULL) {
        return err;
    }
    struct series_rule rule = {
        .series = version_series(arena, &parsed),
        .product = version->product,
        .binary = arena_format(arena, "usr/bin/%s-server", version->product),
        .package = arena_format(arena, "%s-server", version->product),
    };
    const struct rules rules = {.series = &rule, .series_count = 1};
    struct package *package = NULL;
    err = suite_open(&(struct suite_places){0}, &package);
    if (err != NULL) {
        return err;
    }
    const struct call call = {
        .clock = clock_system(),
        .deadline_ms = clock_now_ms(clock_system()) + TIMEOUT_MS,
    };
    err =
        package_prepare(&call, package, version, &rules, print_progress, NULL, arena, ret_artefact);
    package_close(package);
    return err;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: prepare_version PRODUCT VERSION SUITE\n");
        return 2;
    }
    const struct inv_version version = {.product = argv[1], .name = argv[2], .suite = argv[3]};
    AUTO_ARENA arena = {0};
    struct fact_artefact artefact = {0};
    AUTO_ERR err = prepare(&arena, &version, &artefact);
    if (err != NULL) {
        AUTO_FREE char *text = err_text(err);
        const char *hint = err_first_hint(err);
        fprintf(stderr, "%s: %s\n%s\n", err->code, text, hint == NULL ? "" : hint);
        return 1;
    }
    printf("%s\n", artefact.server);
    return 0;
}
