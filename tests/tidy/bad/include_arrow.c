/* tidy: pretend src/engine/bad.c */
#include "drivers/lb.h"
