/*
 * base/banned.h - calls that this tree does not use, poisoned; included by the build everywhere.
 *
 * Each has a safe replacement: buf_printf, str_cut, str_to_int64, clock_*, base/random.h,
 * transport/spawn.h.
 */
#ifndef UPSHIFT_BASE_BANNED_H
#define UPSHIFT_BASE_BANNED_H

/* System headers declare these names themselves, so they must come first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* With _FORTIFY_SOURCE and clang some are macros, and clang poisons no macros. */
#undef strcpy
#undef strcat
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol gmtime localtime ctime asctime
#pragma GCC poison system popen gets srand
/* rand() and sleep() are struct members in other libraries: tests/tidy looks for them instead. */

#endif
