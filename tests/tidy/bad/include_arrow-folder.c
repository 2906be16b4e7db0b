/* tidy: pretend src/misc/bad.c */
#include "base/err.h"
