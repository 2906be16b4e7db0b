/* tidy: pretend src/model/bad.c */
#include <jansson.h>
