/* tidy: pretend src/base/err.c */
#include <stdio.h>

#include "base/err.h"
