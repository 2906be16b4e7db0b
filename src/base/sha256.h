/*
 * base/sha256.h - SHA-256 (FIPS 180-4) as lower-case hex, by OpenSSL.
 */
#ifndef UPSHIFT_BASE_SHA256_H
#define UPSHIFT_BASE_SHA256_H

#include <stddef.h>

enum { SHA256_HEX_SIZE = 65 }; /* 64 digits and the terminator */

/* The digest of one piece of memory. */
void sha256_hex(const void *data, size_t size, char ret_hex[SHA256_HEX_SIZE]);

/* A digest built piece by piece. */
struct sha256;
struct sha256 *sha256_new(void);
void sha256_add(struct sha256 *sha, const void *data, size_t size);
void sha256_finish(struct sha256 *sha, char ret_hex[SHA256_HEX_SIZE]); /* and frees `sha` */

#endif
