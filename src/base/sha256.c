#include "base/sha256.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct sha256 *sha256_new(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
        abort(); /* no memory, or a crypto library without SHA-256 */
    }
    return (struct sha256 *)context;
}

void sha256_add(struct sha256 *sha, const void *data, size_t size)
{
    if (EVP_DigestUpdate((EVP_MD_CTX *)sha, data, size) != 1) {
        abort();
    }
}

void sha256_finish(struct sha256 *sha, char ret_hex[SHA256_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_DigestFinal_ex((EVP_MD_CTX *)sha, digest, &size) != 1) {
        abort();
    }
    EVP_MD_CTX_free((EVP_MD_CTX *)sha);
    for (unsigned i = 0; i < 32; i++) {
        ret_hex[2 * i] = digits[digest[i] >> 4];
        ret_hex[2 * i + 1] = digits[digest[i] & 15];
    }
    ret_hex[64] = '\0';
}

void sha256_hex(const void *data, size_t size, char ret_hex[SHA256_HEX_SIZE])
{
    struct sha256 *sha = sha256_new();
    sha256_add(sha, data, size);
    sha256_finish(sha, ret_hex);
}
