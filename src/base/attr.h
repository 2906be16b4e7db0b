/*
 * base/attr.h - compiler attributes under names that say what they are for.
 *
 * The only place that spells them out, so that moving to C23 changes one file.
 */
#ifndef UPSHIFT_BASE_ATTR_H
#define UPSHIFT_BASE_ATTR_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first), nonnull(text)))
#define RETURNS_NONNULL __attribute__((returns_nonnull))
#define NO_RETURN __attribute__((noreturn))
/* unused: for clang, a variable that only its cleanup uses is not used. */
#define CLEANUP(function) __attribute__((cleanup(function), unused))
#define UNUSED(name) name __attribute__((unused))

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
