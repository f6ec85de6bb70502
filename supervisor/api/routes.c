/* Finding the handler of a request: see api.h. */
#include "api.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "supervisor/http/version.h"

static const struct route *const tables[] = {
    system_routes,  event_routes,   container_routes, container_prune_routes,
    life_routes,    exec_routes,    log_routes,       stats_routes,
    top_routes,     archive_routes, image_routes,     image_job_routes,
    network_routes, volume_routes,  egress_routes,    probe_routes,
    usage_routes,   repair_routes,  commit_routes,    registry_routes,
};

/* The part in braces matches the text from path[*start] to before path[*end]. */
static bool path_matches(const char *pattern, const char *path, size_t *start, size_t *end)
{
    const char *open = strchr(pattern, '{');
    const char *suffix = open != NULL ? strchr(open, '}') + 1 : "";
    size_t length = strlen(path);
    size_t prefix = open != NULL ? (size_t)(open - pattern) : 0;

    if (open == NULL)
        return strcmp(pattern, path) == 0;
    if (length <= prefix + strlen(suffix) || strncmp(path, pattern, prefix) != 0 ||
        strcmp(path + length - strlen(suffix), suffix) != 0)
        return false;
    *start = prefix;
    *end = length - strlen(suffix);
    return strncmp(open, "{name}", 6) == 0 || memchr(path + prefix, '/', *end - prefix) == NULL;
}

/* The route of the request. NULL: there is none; `methods` then lists the methods of its path. */
static const struct route *find_route(const struct request *request, size_t *start, size_t *end,
                                      struct buffer *methods)
{
    *start = *end = 0;
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        for (const struct route *route = tables[i]; route->method != NULL; route++) {
            if (!path_matches(route->path, request->path, start, end))
                continue;
            if (strcmp(route->method, request->method) == 0)
                return route;
            if (methods != NULL)
                buffer_printf(methods, "%s%s", methods->length > 0 ? ", " : "", route->method);
        }
    }
    return NULL;
}

/* What Docker's API has and davitd has not, and what to use. */
static const struct absent_route {
    const char *prefix;
    const char *what;
} absent_routes[] = {
    {"/swarm", "swarms are not in this version of davit: davitd is one host's"},
    {"/services", "services are not in this version of davit; docker-compose works with it"},
    {"/tasks", "services are not in this version of davit; docker-compose works with it"},
    {"/nodes", "swarms are not in this version of davit: davitd is one host's"},
    {"/secrets", "secrets are not in this version of davit"},
    {"/configs", "configs are not in this version of davit"},
    {"/session", "this version of davit builds no images: build them with buildah or podman, and "
                 "load or push them"},
    {"/build", "this version of davit builds no images: build them with buildah or podman, and "
               "load or push them"},
    {"/plugins/", "davitd has no plugins; networks take those of CNI, devices those of CDI"},
};

/* Clients show the sentence. NULL: Docker's API has no such path either. */
static const char *absence_of(const char *path)
{
    for (size_t i = 0; i < ARRAY_SIZE(absent_routes); i++) {
        size_t length = strlen(absent_routes[i].prefix);

        if (strncmp(path, absent_routes[i].prefix, length) == 0 &&
            (path[length] == '\0' || path[length] == '/' || path[length - 1] == '/'))
            return absent_routes[i].what;
    }
    return NULL;
}

static void refuse_path(struct request *request)
{
    const char *absence = absence_of(request->path);
    cleanup_free char *message = NULL;

    if (absence != NULL) {
        /* `docker inspect NAME` asks for one of every kind, and goes on where there is none. */
        bool looks_up =
            strcmp(request->method, "GET") == 0 && strchr(request->path + 1, '/') != NULL;

        respond_failure(request, looks_up ? 404 : 501, absence);
        return;
    }
    message =
        memory_printf("neither Docker's API nor davit's has a path \"%.128s\"", request->path);
    respond_failure(request, 404, message);
}

static bool refuse_version(struct request *request)
{
    char message[160];

    if (request->version < 0 ||
        (request->version >= API_MINOR_MIN && request->version <= API_MINOR))
        return false;
    if (request->version > API_MINOR)
        snprintf(message, sizeof(message),
                 "client version 1.%d is too new. Maximum supported API version is " API_VERSION,
                 request->version);
    else
        snprintf(message, sizeof(message),
                 "client version 1.%d is too old. Minimum supported API version is " API_VERSION_MIN
                 ", please upgrade your client to a newer version",
                 request->version);
    respond_failure(request, 400, message);
    return true;
}

static void refuse_method(struct request *request, const char *methods)
{
    cleanup_free char *message =
        memory_printf("method %.16s is not allowed here; allowed: %s", request->method, methods);

    request->response_header = arena_printf(&request->arena, "Allow: %s", methods);
    respond_failure(request, 405, message);
}

void api_handle(void *context, struct request *request)
{
    cleanup_buffer struct buffer methods = {0};
    struct route_match match = {0};
    const struct route *route;
    size_t start;
    size_t end;

    if (refuse_version(request))
        return;
    route = find_route(request, &start, &end, &methods);
    if (route != NULL) {
        match.name = arena_strndup(&request->arena, request->path + start, end - start);
        route->handler(context, request, &match);
    } else if (methods.length > 0 && absence_of(request->path) == NULL) {
        refuse_method(request, buffer_text(&methods));
    } else {
        refuse_path(request);
    }
}

bool api_streams_body(void *context, const struct request *request)
{
    size_t start;
    size_t end;
    const struct route *route = find_route(request, &start, &end, NULL);

    (void)context;
    return route != NULL && route->streams != NULL && route->streams(request);
}

void api_print_routes(FILE *out)
{
    static const char *const permissions[] = {"read", "operate"};

    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        for (const struct route *route = tables[i]; route->method != NULL; route++)
            fprintf(out, "%s %s %s\n", route->method, route->path, permissions[route->permission]);
    }
}
