/* Where registries are found: see registries.h. */
#include "registries.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"

#define CA_FILE_MAX (16 << 10)
#define MIRRORS_MAX 8

static const struct json_field fields[] = {
    JSON_FIELD(struct registry, mirrors, "mirrors", JSON_KIND_STRINGS),
    JSON_FIELD(struct registry, ca_file, "ca_file", JSON_KIND_STRING),
    JSON_FIELD(struct registry, is_insecure, "insecure", JSON_KIND_BOOL),
};
const struct json_struct registry_type = JSON_CLOSED_STRUCT(struct registry, fields);

static bool is_url(const char *text)
{
    const char *host = strncmp(text, "https://", 8) == 0  ? text + 8
                       : strncmp(text, "http://", 7) == 0 ? text + 7
                                                          : "";

    return host[0] != '\0' && host[0] != '/' && strpbrk(host, " ?#\r\n") == NULL &&
           host[strlen(host) - 1] != '/';
}

static int read_certificates(struct registry *registry, struct arena *arena, struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    int result;

    if (registry->ca_file == NULL)
        return 0;
    result = file_read(AT_FDCWD, registry->ca_file, CA_FILE_MAX, &text, err);
    if (result == 0 && strstr(buffer_text(&text), "-----BEGIN CERTIFICATE-----") == NULL)
        result = error_set(err, ERROR_INVALID, EINVAL, "%s: no certificate in PEM form",
                           registry->ca_file);
    registry->ca_pem = arena_strdup(arena, buffer_text(&text));
    return result < 0 ? error_prefix(err, "registries.%s.ca_file", registry->domain) : 0;
}

int registries_read(struct registries *registries, struct arena *arena, struct error *err)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < registries->count; i++) {
        struct registry *registry = &registries->items[i];

        for (size_t j = 0; j < registry->mirrors.count; j++) {
            if (!is_url(registry->mirrors.items[j]))
                return error_set(
                    err, ERROR_INVALID, EINVAL,
                    "registries.%s.mirrors[%zu]: \"%.128s\" is not https://HOST[:PORT]",
                    registry->domain, j, registry->mirrors.items[j]);
        }
        if (registry->mirrors.count > MIRRORS_MAX)
            return error_set(err, ERROR_INVALID, E2BIG, "registries.%s.mirrors: more than %d",
                             registry->domain, MIRRORS_MAX);
        result = read_certificates(registry, arena, err);
    }
    return result;
}

static bool is_loopback(const char *domain)
{
    return strncmp(domain, "127.", 4) == 0 || strncmp(domain, "[::1]", 5) == 0 ||
           strcmp(domain, "localhost") == 0 || strncmp(domain, "localhost:", 10) == 0;
}

static void add(struct arena *arena, struct fetch_setup *setup, struct fetch_endpoint endpoint)
{
    struct fetch_endpoint *items =
        arena_new(arena, setup->endpoints.count + 1, sizeof(*setup->endpoints.items));

    if (setup->endpoints.count > 0)
        memcpy(items, setup->endpoints.items, setup->endpoints.count * sizeof(*items));
    items[setup->endpoints.count++] = endpoint;
    setup->endpoints.items = items;
}

void registries_locate(const struct registries *registries, const struct image_reference *reference,
                       bool has_mirrors, struct arena *arena, struct fetch_setup *setup)
{
    static const struct registry unknown = {0};
    size_t length = strcspn(reference->name, "/");
    const char *domain = arena_strndup(arena, reference->name, length);
    const char *host = strcmp(domain, "docker.io") == 0 ? "registry-1.docker.io" : domain;
    const struct registry *registry = &unknown;
    bool is_insecure;

    for (size_t i = 0; i < registries->count; i++) {
        if (strcmp(registries->items[i].domain, domain) == 0)
            registry = &registries->items[i];
    }
    is_insecure = registry->is_insecure || (is_loopback(domain) && registry->ca_file == NULL);
    setup->ca_pem = registry->ca_pem;
    setup->repository = arena_strdup(arena, reference->name + length + 1);
    for (size_t i = 0; has_mirrors && i < registry->mirrors.count; i++)
        add(arena, setup,
            (struct fetch_endpoint){.url = registry->mirrors.items[i], .is_mirror = true});
    add(arena, setup,
        (struct fetch_endpoint){.url = arena_printf(arena, "https://%s", host),
                                .is_insecure = is_insecure});
    if (is_insecure)
        add(arena, setup, (struct fetch_endpoint){.url = arena_printf(arena, "http://%s", host)});
}
