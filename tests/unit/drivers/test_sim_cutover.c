/* Cut-overs of the simulation do what real ones do (tests/e2e/test_guard.py runs the same). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "conformance_cutover.h"
#include "fixture.h"

int main(void)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct fixture_options){.server = SERVER_7_0, .write_rate = 1000});
    fixture_wait(&fixture, 1000);
    struct cutover_fixture cutover = {.clock = fixture.call.clock,
        .cutover = fixture.world->cutover,
        .parties = {fixture_node(&fixture, "n1"), fixture_node(&fixture, "n4")}};
    const int failed = conformance_cutover_run(&cutover);
    fixture_close(&fixture);
    return failed;
}
