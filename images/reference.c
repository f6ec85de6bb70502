/* Image references, by the grammar of the distribution project: [domain/]path[:tag][@digest]. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "images.h"

#define DEFAULT_DOMAIN "docker.io"
#define OFFICIAL_PREFIX "library/"

static int refuse(struct error *err, const char *text, const char *why)
{
    return error_set(err, ERROR_INVALID, EINVAL, "invalid reference format: \"%.128s\": %s", text,
                     why);
}

/* What stands before the first slash is a domain if it looks like a host: a dot, a port, an upper
 * case letter, or "localhost". */
static bool is_domain(const char *text, size_t length)
{
    if (length == strlen("localhost") && strncmp(text, "localhost", length) == 0)
        return true;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '.' || text[i] == ':' || isupper((unsigned char)text[i]))
            return true;
    }
    return false;
}

static bool domain_is_valid(const char *text, size_t length)
{
    if (length == 0)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)text[i]) && strchr(".-:[]", text[i]) == NULL)
            return false;
    }
    return isalnum((unsigned char)text[0]) || text[0] == '[';
}

/* Components of lower-case letters and digits, separated inside by ".", "_", "__" or dashes. */
static bool component_is_valid(const char *text, size_t length)
{
    size_t i = 0;

    while (i < length) {
        size_t separators = 0;

        if (!islower((unsigned char)text[i]) && !isdigit((unsigned char)text[i]))
            return false;
        while (i < length && (islower((unsigned char)text[i]) || isdigit((unsigned char)text[i])))
            i++;
        while (i + separators < length && strchr("._-", text[i + separators]) != NULL)
            separators++;
        if (separators == 0)
            continue;
        if (i + separators == length)
            return false;
        if (separators > 1 && strspn(text + i, "-") < separators &&
            !(separators == 2 && strncmp(text + i, "__", 2) == 0))
            return false;
        i += separators;
    }
    return length > 0;
}

static bool path_is_valid(const char *path)
{
    for (;;) {
        size_t length = strcspn(path, "/");

        if (!component_is_valid(path, length))
            return false;
        if (path[length] == '\0')
            return true;
        path += length + 1;
    }
}

static bool tag_is_valid(const char *tag)
{
    size_t length = strlen(tag);

    if (length == 0 || length > 128 || tag[0] == '.' || tag[0] == '-')
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)tag[i]) && strchr("._-", tag[i]) == NULL)
            return false;
    }
    return true;
}

/* Cuts "@digest" and ":tag" off the end of `name`. */
static int split_tag(const char *text, char *name, struct image_reference *reference,
                     struct error *err)
{
    char *at = strchr(name, '@');
    char *colon;

    if (at != NULL) {
        *at = '\0';
        if (!digest_is_valid(at + 1))
            return refuse(err, text, "the digest is not sha256 and 64 hexadecimal digits");
        memcpy(reference->digest, at + 1, DIGEST_SIZE);
    }
    colon = strrchr(name, ':');
    if (colon != NULL && strchr(colon, '/') == NULL) {
        *colon = '\0';
        if (!tag_is_valid(colon + 1))
            return refuse(err, text, "the tag has characters that tags cannot have");
        strcpy(reference->tag, colon + 1);
    } else if (at == NULL) {
        strcpy(reference->tag, "latest");
    }
    return 0;
}

int image_reference_parse(const char *text, struct image_reference *reference, struct error *err)
{
    char name[512];
    size_t first;
    const char *path;
    bool has_domain;
    int length;
    int result;

    memset(reference, 0, sizeof(*reference));
    if (strlen(text) >= sizeof(name))
        return refuse(err, text, "too long");
    strcpy(name, text);
    result = split_tag(text, name, reference, err);
    if (result < 0)
        return result;
    first = strcspn(name, "/");
    has_domain = name[first] == '/' && is_domain(name, first);
    path = has_domain ? name + first + 1 : name;
    if (has_domain && !domain_is_valid(name, first))
        return refuse(err, text, "the registry's name is not valid");
    if (!path_is_valid(path))
        return refuse(err, text,
                      "a repository name is lower-case letters and digits, separated by "
                      "\".\", \"_\", \"-\" or \"/\"");
    if (has_domain && strncmp(name, DEFAULT_DOMAIN "/", strlen(DEFAULT_DOMAIN) + 1) != 0)
        length = snprintf(reference->name, sizeof(reference->name), "%s", name);
    else
        length = snprintf(reference->name, sizeof(reference->name), DEFAULT_DOMAIN "/%s%s",
                          strchr(path, '/') == NULL ? OFFICIAL_PREFIX : "", path);
    if (length >= (int)sizeof(reference->name))
        return refuse(err, text, "too long");
    return 0;
}

void image_reference_familiar(const char *full, char *familiar, size_t size)
{
    static const char official[] = DEFAULT_DOMAIN "/" OFFICIAL_PREFIX;
    static const char domain[] = DEFAULT_DOMAIN "/";

    if (strncmp(full, official, sizeof(official) - 1) == 0 &&
        strchr(full + sizeof(official) - 1, '/') == NULL)
        full += sizeof(official) - 1;
    else if (strncmp(full, domain, sizeof(domain) - 1) == 0)
        full += sizeof(domain) - 1;
    snprintf(familiar, size, "%s", full);
}

bool image_reference_has_tag(const char *text)
{
    const char *slash = strrchr(text, '/');

    return strchr(text, '@') != NULL || strchr(slash != NULL ? slash : text, ':') != NULL;
}
