/* tidy: pretend src/drivers/redis/bad.c */
#include "drivers/suite/apt.h"
