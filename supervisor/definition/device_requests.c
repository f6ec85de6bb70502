/* Devices of vendors that a container asks for: HostConfig.DeviceRequests. See definition.h and
 * bundle/cdi.h. */
#include <errno.h>
#include <string.h>

#include "definition.h"

/* What the drivers of one vendor are told to bring into a container beside the device (its "driver
 * capabilities"). Files of the Container Device Interface bring all of them. */
static const char *const driver_capabilities[] = {"compat32", "compute", "display", "graphics",
                                                  "ngx",      "nvidia",  "utility", "video"};

static bool is_driver_capability(const char *word)
{
    for (size_t i = 0; i < sizeof(driver_capabilities) / sizeof(*driver_capabilities); i++) {
        if (strcmp(driver_capabilities[i], word) == 0)
            return true;
    }
    return false;
}

int device_settings_check(const struct device_settings *settings, struct error *err)
{
    for (size_t i = 0; i < settings->directories.count; i++) {
        if (settings->directories.items[i][0] != '/')
            return error_set(err, ERROR_INVALID, EINVAL,
                             "cdi_directories[%zu]: \"%.64s\" is not absolute", i,
                             settings->directories.items[i]);
    }
    for (size_t i = 0; i < settings->classes.count; i++) {
        const struct string_pair *class = &settings->classes.items[i];

        if (!cdi_is_class(class->value))
            return error_set(err, ERROR_INVALID, EINVAL,
                             "device_classes.%.32s: \"%.64s\" is not like vendor.com/class",
                             class->name, class->value);
    }
    return 0;
}

/* The class that these capabilities together mean; NULL with an error for what none is set for. */
static const char *class_of_set(const struct device_settings *settings, const struct json *set,
                                struct error *err)
{
    const char *class = NULL;

    for (size_t i = 0; set->type == JSON_ARRAY && i < set->count; i++) {
        const char *word = set->items[i].type == JSON_STRING ? set->items[i].text : "";
        const char *meant = string_map_get(&settings->classes, word);

        if (meant != NULL && class != NULL && strcmp(class, meant) != 0) {
            error_set(err, ERROR_INVALID, EINVAL,
                      "Capabilities: no device is both of %.64s and of %.64s", class, meant);
            return NULL;
        }
        if (meant == NULL && !is_driver_capability(word)) {
            error_set(err, ERROR_INVALID, EINVAL,
                      "Capabilities: no class of devices is set for \"%.32s\" (device_classes in "
                      "davitd.json)",
                      word);
            return NULL;
        }
        class = meant != NULL ? meant : class;
    }
    if (class == NULL)
        error_set(err, ERROR_INVALID, EINVAL,
                  "Capabilities: a list of lists is expected, with one that a class of devices is "
                  "set for, like gpu");
    return class;
}

/* The first set that can be met. */
static const char *class_of(const struct device_settings *settings,
                            const struct docker_device_request *request, struct error *err)
{
    const struct json *sets = request->capabilities;
    const char *class = NULL;

    if (sets == NULL || sets->type != JSON_ARRAY || sets->count == 0) {
        error_set(err, ERROR_INVALID, EINVAL,
                  "Capabilities: what the devices can do is needed, or Driver \"cdi\" and their "
                  "names in DeviceIDs");
        return NULL;
    }
    for (size_t i = 0; class == NULL && i < sets->count; i++)
        class = class_of_set(settings, &sets->items[i], err);
    return class;
}

/* "nvidia" is the driver of "nvidia.com/gpu". */
static bool is_vendor(const char *driver, const char *class)
{
    size_t length = strlen(driver);

    return strncmp(driver, class, length) == 0 && class[length] == '.';
}

static int add_by_name(struct arena *arena, const struct docker_device_request *from,
                       struct cdi_request *request, struct error *err)
{
    if (from->ids.count == 0 || from->count != 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "Driver \"cdi\" wants names in DeviceIDs, and no Count");
    for (size_t i = 0; i < from->ids.count; i++) {
        if (!cdi_is_device(from->ids.items[i]))
            return error_set(err, ERROR_INVALID, EINVAL,
                             "DeviceIDs[%zu]: \"%.128s\" is not like vendor.com/class=name", i,
                             from->ids.items[i]);
        string_list_append(arena, &request->devices, from->ids.items[i]);
    }
    return 0;
}

static int add_by_class(struct arena *arena, const struct docker_device_request *from,
                        const struct device_settings *settings, struct cdi_request *request,
                        struct error *err)
{
    struct cdi_class_request class = {.class_name = class_of(settings, from, err),
                                      .count = from->count};

    if (class.class_name == NULL)
        return -EINVAL;
    if (from->driver != NULL && from->driver[0] != '\0' &&
        !is_vendor(from->driver, class.class_name))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "Driver: \"%.32s\" is neither cdi nor the vendor of %s", from->driver,
                         class.class_name);
    if ((from->count == 0) == (from->ids.count == 0))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "either Count (-1: all) or DeviceIDs is needed, and not both");
    for (size_t i = 0; i < from->ids.count; i++) {
        const char *id = from->ids.items[i];

        if (cdi_is_device(id))
            string_list_append(arena, &request->devices, id);
        else if (cdi_is_device(arena_printf(arena, "%s=%s", class.class_name, id)))
            string_list_append(arena, &class.wanted, id);
        else
            return error_set(err, ERROR_INVALID, EINVAL,
                             "DeviceIDs[%zu]: \"%.128s\" is no name of a device", i, id);
    }
    if (from->ids.count > 0 && class.wanted.count == 0)
        return 0;
    request->classes.items =
        arena_grow(arena, request->classes.items, request->classes.count, sizeof(class));
    request->classes.items[request->classes.count++] = class;
    return 0;
}

int definition_device_requests(struct arena *arena, const struct docker_host_config *host,
                               const struct device_settings *settings, struct cdi_request **request,
                               struct error *err)
{
    int result = 0;

    *request = NULL;
    if (host->device_requests.count == 0)
        return 0;
    *request = arena_new(arena, 1, sizeof(**request));
    (*request)->directories = settings->directories;
    for (size_t i = 0; result == 0 && i < host->device_requests.count; i++) {
        const struct docker_device_request *from = &host->device_requests.items[i];

        if (from->options.count > 0)
            result = error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                               "Options: \"%.32s\": files of the Container Device Interface take "
                               "no options",
                               from->options.items[0].name);
        else if (from->driver != NULL && strcmp(from->driver, "cdi") == 0)
            result = add_by_name(arena, from, *request, err);
        else
            result = add_by_class(arena, from, settings, *request, err);
        if (result < 0)
            error_prefix(err, "HostConfig.DeviceRequests[%zu]", i);
    }
    return result;
}
