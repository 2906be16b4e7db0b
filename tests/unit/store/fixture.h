/*
 * tests/unit/store/fixture.h - a journal in a folder of its own, and short ways to fill it.
 */
#ifndef UPSHIFT_TESTS_STORE_FIXTURE_H
#define UPSHIFT_TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/journal.h"
#include "store/sqlite/store.h"

struct fixture {
    char directory[64];
    char path[80]; /* of journal.db */
    struct arena arena;
    struct journal *journal;
    const char *run; /* "orders-1" */
};

int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Closes and opens the journal. */
void fixture_reopen(struct fixture *fixture);

/* Appends `count` records "0", "1", ... in one transaction. */
MUST_USE struct err *fixture_append(struct fixture *fixture, size_t count);

/* Reads the run and gives the number of records. */
MUST_USE struct err *fixture_count(struct fixture *fixture, size_t *ret_count);

/* Runs SQL in a connection of its own, as a foreign program would. */
void fixture_run_sql(const struct fixture *fixture, const char *sql);

/* Fails the test unless `err` has this code and says this; frees it. */
void assert_refused(struct err *err, const char *code, const char *text);
void assert_ok(struct err *err);

#endif
