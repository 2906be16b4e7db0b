/*
 * tests/e2e/guard_faults.h - a guard that dies, or stops, where a test says.
 *
 * UPSHIFT_KILL="<who>:<STATE>": right after the line of that state is durable, `guard` ends itself
 * with SIGKILL, `both` ends the controller first, `controller` ends that alone; `freeze` and
 * `freeze_controller` send SIGSTOP instead. The controller is the process in UPSHIFT_CONTROLLER.
 * With UPSHIFT_KILL_ONCE, a path, it happens to the first one only, which leaves a file there.
 */
#ifndef UPSHIFT_TESTS_E2E_GUARD_FAULTS_H
#define UPSHIFT_TESTS_E2E_GUARD_FAULTS_H

/* Does what main() of upshift does for the words of guards and timers; -1: another word. */
int guard_faults_main(int argc, char **argv);

/* To be called by the controller before it starts a guard. */
void guard_faults_announce(void);

#endif
