/*
 * Signatures of images, as cosign makes them: the signature is over a payload (JSON in the form of
 * "simple signing") that names the digest of a manifest or index. It lies beside the image in its
 * registry, as a layer of the manifest tagged sha256-HEX.sig, or in a directory as sha256-HEX.json
 * and sha256-HEX.sig.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "worker.h"

#define SIGNATURE_TYPE "cosign container image signature"

static const struct json_field image_fields[] = {
    JSON_FIELD(struct signed_image, digest, "docker-manifest-digest", JSON_KIND_STRING,
               .flags = JSON_REQUIRED),
};
static const struct json_struct image_type = JSON_STRUCT(struct signed_image, image_fields);
static const struct json_field identity_fields[] = {
    JSON_FIELD(struct signed_identity, reference, "docker-reference", JSON_KIND_STRING),
};
static const struct json_struct identity_type =
    JSON_STRUCT(struct signed_identity, identity_fields);
static const struct json_field critical_fields[] = {
    JSON_FIELD(struct signed_critical, image, "image", JSON_KIND_INLINE, .type = &image_type,
               .flags = JSON_REQUIRED),
    JSON_FIELD(struct signed_critical, identity, "identity", JSON_KIND_INLINE,
               .type = &identity_type),
    JSON_FIELD(struct signed_critical, type, "type", JSON_KIND_STRING, .flags = JSON_REQUIRED),
};
static const struct json_struct critical_type =
    JSON_STRUCT(struct signed_critical, critical_fields);
static const struct json_field payload_fields[] = {
    JSON_FIELD(struct signed_payload, critical, "critical", JSON_KIND_INLINE,
               .type = &critical_type, .flags = JSON_REQUIRED),
};
static const struct json_struct payload_type = JSON_STRUCT(struct signed_payload, payload_fields);

/* Loads a key for ECDSA over P-256 or for Ed25519. The key's type decides how to verify. */
static int load_key(const char *pem, EVP_PKEY **key, struct error *err)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    char group[32] = "";

    *key = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    if (*key == NULL)
        return error_set(err, ERROR_INVALID, EINVAL, "a key of the policy cannot be read");
    if (EVP_PKEY_is_a(*key, "ED25519"))
        return 0;
    if (EVP_PKEY_is_a(*key, "EC") &&
        EVP_PKEY_get_group_name(*key, group, sizeof(group), NULL) == 1 &&
        strcmp(group, "prime256v1") == 0)
        return 0;
    EVP_PKEY_free(*key);
    *key = NULL;
    return error_set(err, ERROR_INVALID, EINVAL,
                     "a key of the policy is neither ECDSA P-256 nor Ed25519");
}

static bool verifies(EVP_PKEY *key, const struct signature *signature, const unsigned char *bytes,
                     size_t length)
{
    const EVP_MD *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_good =
        context != NULL && EVP_DigestVerifyInit(context, NULL, digest, NULL, key) == 1 &&
        EVP_DigestVerify(context, bytes, length, (const unsigned char *)signature->payload,
                         signature->payload_length) == 1;

    EVP_MD_CTX_free(context);
    return is_good;
}

/* Base64, with white space around it. The length, or -1. */
static int decode(const char *text, unsigned char bytes[SIGNATURE_BYTES_MAX])
{
    size_t length;
    int count;

    text += strspn(text, " \t\r\n");
    length = strcspn(text, " \t\r\n");
    if (length == 0 || length % 4 != 0 || length > SIGNATURE_BYTES_MAX)
        return -1;
    count = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length);
    for (size_t i = length; count > 0 && i > length - 2 && text[i - 1] == '='; i--)
        count--;
    return count;
}

static bool verify_with_keys(const struct trust_rule *rule, const struct signature *signature,
                             int *result, struct error *err)
{
    unsigned char bytes[SIGNATURE_BYTES_MAX];
    int length = decode(signature->base64, bytes);
    bool is_good = false;

    for (size_t i = 0; *result == 0 && !is_good && length > 0 && i < rule->key_pem.count; i++) {
        EVP_PKEY *key;

        *result = load_key(rule->key_pem.items[i], &key, err);
        if (*result < 0)
            return false;
        is_good = verifies(key, signature, bytes, (size_t)length);
        EVP_PKEY_free(key);
    }
    return is_good;
}

/* True if the payload names the digest and the rule's identity. Called after the signature was
 * found good: no stranger's payload is parsed. */
static bool payload_names(const struct trust_rule *rule, const struct signature *signature,
                          const char *digest)
{
    cleanup_arena struct arena arena = {0};
    struct signed_payload payload = {0};
    const struct signed_critical *critical = &payload.critical;

    if (json_decode_text(&arena, signature->payload, signature->payload_length, &payload_type,
                         &payload, NULL) < 0)
        return false;
    return strcmp(critical->type, SIGNATURE_TYPE) == 0 &&
           strcmp(critical->image.digest, digest) == 0 &&
           (rule->identity == NULL || (critical->identity.reference != NULL &&
                                       strcmp(critical->identity.reference, rule->identity) == 0));
}

int signature_check(const struct trust_rule *rule, const struct signature *signature,
                    const char *digest, struct error *err)
{
    int result = 0;
    bool is_good = verify_with_keys(rule, signature, &result, err);

    if (result < 0)
        return result;
    return is_good && payload_names(rule, signature, digest);
}

static int read_beside(int directory_fd, const char *digest, const char *suffix,
                       struct buffer *text, struct error *err)
{
    cleanup_free char *name = memory_printf("sha256-%s.%s", digest + strlen("sha256:"), suffix);

    return file_read(directory_fd, name, SIGNATURE_PAYLOAD_MAX, text, err);
}

int signature_check_directory(const struct trust_rule *rule, const char *digest, struct error *err)
{
    cleanup_close int directory_fd = open(rule->signatures, O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_buffer struct buffer payload = {0};
    cleanup_buffer struct buffer base64 = {0};
    int result;

    if (directory_fd < 0)
        return error_errno(err, errno, "signatures in %s", rule->signatures);
    result = read_beside(directory_fd, digest, "json", &payload, err);
    if (result == 0)
        result = read_beside(directory_fd, digest, "sig", &base64, err);
    if (result == -ENOENT)
        return 0;
    if (result < 0)
        return error_prefix(err, "signatures in %s", rule->signatures);
    return signature_check(rule,
                           &(struct signature){.payload = buffer_text(&payload),
                                               .payload_length = payload.length,
                                               .base64 = buffer_text(&base64)},
                           digest, err);
}
