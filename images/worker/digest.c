/* SHA-256 by OpenSSL. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "worker.h"

struct digest_context {
    EVP_MD_CTX *evp;
};

struct digest_context *digest_new(void)
{
    struct digest_context *context = memory_new_one(struct digest_context);

    context->evp = EVP_MD_CTX_new();
    if (context->evp == NULL || EVP_DigestInit_ex(context->evp, EVP_sha256(), NULL) != 1)
        abort();
    return context;
}

void digest_update(struct digest_context *context, const void *bytes, size_t length)
{
    if (EVP_DigestUpdate(context->evp, bytes, length) != 1)
        abort();
}

void digest_finish(struct digest_context *context, char digest[DIGEST_SIZE])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    int position = 7;

    if (EVP_DigestFinal_ex(context->evp, hash, &length) != 1 || length != 32)
        abort();
    memcpy(digest, "sha256:", 7);
    for (unsigned int i = 0; i < length; i++)
        position += snprintf(digest + position, 3, "%02x", hash[i]);
    digest_free(context);
}

void digest_free(struct digest_context *context)
{
    if (context == NULL)
        return;
    EVP_MD_CTX_free(context->evp);
    free(context);
}

void digest_of(const void *bytes, size_t length, char digest[DIGEST_SIZE])
{
    struct digest_context *context = digest_new();

    digest_update(context, bytes, length);
    digest_finish(context, digest);
}
