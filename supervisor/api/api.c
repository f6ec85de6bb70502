/* Routes of the control socket: docs/openapi.yaml describes what stands behind each. */
#include "api.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "supervisor/http/version.h"

static const struct route {
    const char *method;
    const char *prefix; /* "*" of a route is what lies between prefix and suffix */
    const char *suffix; /* NULL: the prefix is the whole path */
    api_handler handler;
} routes[] = {
    {"GET", "/_ping", NULL, api_ping},
    {"HEAD", "/_ping", NULL, api_ping},
    {"GET", "/version", NULL, api_version},
    {"GET", "/info", NULL, api_info},
    {"GET", "/events", NULL, api_events},
    {"GET", "/system/df", NULL, api_disk_usage},
    {"GET", "/images/json", NULL, api_images_list},
    {"POST", "/build/prune", NULL, api_build_prune},
    {"POST", "/images/prune", NULL, api_images_prune},
    {"POST", "/images/load", NULL, api_images_load},
    {"POST", "/images/create", NULL, api_images_create},
    {"GET", "/images/get", NULL, api_images_save},
    {"GET", "/images/", "/get", api_image_save},
    {"GET", "/davit/v1/images/", "/sbom", api_image_sbom},
    {"POST", "/davit/v1/images/", "/push-index", api_image_push_index},
    {"GET", "/images/", "/json", api_image_inspect},
    {"GET", "/images/", "/history", api_image_history},
    {"POST", "/images/", "/tag", api_image_tag},
    {"POST", "/images/", "/push", api_image_push},
    {"DELETE", "/images/", "", api_image_remove},
    {"GET", "/containers/json", NULL, api_containers_list},
    {"POST", "/containers/prune", NULL, api_containers_prune},
    {"POST", "/containers/create", NULL, api_container_create},
    {"GET", "/containers/", "/json", api_container_inspect},
    {"GET", "/davit/v1/containers/", "/egress", api_egress_show},
    {"PUT", "/davit/v1/containers/", "/egress", api_egress_set},
    {"GET", "/davit/v1/containers/", "/probes", api_probes_show},
    {"PUT", "/davit/v1/containers/", "/probes", api_probes_set},
    {"GET", "/containers/", "/changes", api_container_changes},
    {"GET", "/containers/", "/export", api_container_export},
    {"HEAD", "/containers/", "/archive", api_container_stat_path},
    {"GET", "/containers/", "/archive", api_container_copy_out},
    {"PUT", "/containers/", "/archive", api_container_copy_in},
    {"POST", "/commit", NULL, api_commit},
    {"GET", "/networks", NULL, api_networks_list},
    {"POST", "/networks/create", NULL, api_network_create},
    {"POST", "/networks/prune", NULL, api_networks_prune},
    {"POST", "/networks/", "/connect", api_network_connect},
    {"POST", "/networks/", "/disconnect", api_network_disconnect},
    {"GET", "/networks/", "", api_network_inspect},
    {"DELETE", "/networks/", "", api_network_remove},
    {"GET", "/volumes", NULL, api_volumes_list},
    {"POST", "/volumes/create", NULL, api_volume_create},
    {"POST", "/volumes/prune", NULL, api_volumes_prune},
    {"GET", "/volumes/", "", api_volume_inspect},
    {"DELETE", "/volumes/", "", api_volume_remove},
    {"POST", "/containers/", "/start", api_container_start},
    {"POST", "/containers/", "/stop", api_container_stop},
    {"POST", "/containers/", "/restart", api_container_restart},
    {"POST", "/containers/", "/kill", api_container_kill},
    {"POST", "/containers/", "/pause", api_container_pause},
    {"POST", "/containers/", "/unpause", api_container_unpause},
    {"POST", "/containers/", "/rename", api_container_rename},
    {"POST", "/containers/", "/update", api_container_update},
    {"GET", "/containers/", "/top", api_container_top},
    {"GET", "/containers/", "/stats", api_container_stats},
    {"POST", "/containers/", "/wait", api_container_wait},
    {"GET", "/containers/", "/logs", api_container_logs},
    {"POST", "/containers/", "/attach", api_container_attach},
    {"POST", "/containers/", "/resize", api_container_resize},
    {"DELETE", "/containers/", "", api_container_remove},
    {"POST", "/containers/", "/exec", api_container_exec},
    {"POST", "/exec/", "/start", api_exec_start},
    {"GET", "/exec/", "/json", api_exec_inspect},
    {"POST", "/exec/", "/resize", api_exec_resize},
};

bool api_read_filters(struct request *request, const char *const *known, struct filters *filters)
{
    struct error err = {0};

    if (filters_parse(&request->arena, request_query(request, "filters"), known, filters, &err) ==
        0)
        return true;
    respond_error(request, &err);
    return false;
}

/* Image names contain slashes, so a name is everything between prefix and suffix; ids do not. */
static bool route_matches(const struct route *route, struct request *request,
                          struct route_match *match)
{
    size_t prefix = strlen(route->prefix);
    size_t length = strlen(request->path);
    size_t suffix;

    if (strcmp(route->method, request->method) != 0)
        return false;
    if (route->suffix == NULL)
        return strcmp(request->path, route->prefix) == 0;
    suffix = strlen(route->suffix);
    if (length <= prefix + suffix || strncmp(request->path, route->prefix, prefix) != 0 ||
        strcmp(request->path + length - suffix, route->suffix) != 0)
        return false;
    match->name = arena_strndup(&request->arena, request->path + prefix, length - prefix - suffix);
    return strstr(route->prefix, "/images/") != NULL || strchr(match->name, '/') == NULL;
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

void api_handle(void *context, struct request *request)
{
    struct daemon *daemon = context;

    if (refuse_version(request))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        struct route_match match = {0};

        if (route_matches(&routes[i], request, &match)) {
            routes[i].handler(daemon, request, &match);
            return;
        }
    }
    respond_failure(request, 404, "page not found");
}

bool api_streams_body(void *context, const struct request *request)
{
    size_t length = strlen(request->path);
    static const char archive[] = "/archive";

    (void)context;
    if (strcmp(request->method, "PUT") == 0)
        return strncmp(request->path, "/containers/", 12) == 0 && length > sizeof(archive) &&
               strcmp(request->path + length - strlen(archive), archive) == 0;
    return strcmp(request->method, "POST") == 0 &&
           (strcmp(request->path, "/images/load") == 0 || api_is_import(request));
}
