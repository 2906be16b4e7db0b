/*
 * data/rules.h - the version rules as text, built into the program from rules-redis.yaml.
 */
#ifndef UPSHIFT_DATA_RULES_H
#define UPSHIFT_DATA_RULES_H

#include <stddef.h>

extern const char data_rules[]; /* terminated */
extern const size_t data_rules_size;

#endif
