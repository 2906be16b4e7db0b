#include "base/random.h"

#include <stdlib.h>
#include <sys/random.h>

uint64_t random_next(struct random *random)
{
    random->state += 0x9e3779b97f4a7c15U;
    uint64_t mixed = random->state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31);
}

uint64_t random_below(struct random *random, uint64_t limit)
{
    return random_next(random) % limit;
}

void random_bytes(void *ret_bytes, size_t size)
{
    if (getentropy(ret_bytes, size) != 0) { /* at most 256 bytes are ever asked for */
        abort();
    }
}

void random_name(char *ret_name, size_t size)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    for (size_t i = 0; i + 1 < size; i++) {
        unsigned char byte;
        random_bytes(&byte, 1);
        ret_name[i] = letters[byte % 32];
    }
    if (size > 0) {
        ret_name[size - 1] = '\0';
    }
}
