/* tidy: pretend src/model/bad.c */
#include <base/err.h>
