/* --device and --gpus. See create_values.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "create_values.h"

static void put_text(const struct option_reader *reader, struct request_value *object,
                     const char *path, const char *text)
{
    request_set_text(reader->request, request_at(reader->request, object, path), text);
}

static void add_text(const struct option_reader *reader, struct request_value *object,
                     const char *path, const char *text)
{
    struct request_value *list = request_at(reader->request, object, path);

    request_set_text(reader->request, request_append(reader->request, list), text);
}

/* "vendor.com/class=name", a device of the Container Device Interface: davitd checks it in full. */
static bool is_qualified(const char *text)
{
    const char *slash = strchr(text, '/');

    return text[0] != '/' && slash != NULL && strchr(slash, '=') != NULL;
}

static int put_qualified(const struct option_reader *reader, const char *text)
{
    struct request_value *requests = request_at(reader->request, NULL, "HostConfig.DeviceRequests");
    struct request_value *request = request_append(reader->request, requests);

    put_text(reader, request, "Driver", "cdi");
    add_text(reader, request, "DeviceIDs", text);
    return 0;
}

/* "PATH[:PATH-INSIDE][:rwm]" or "vendor.com/class=name" */
int read_device(const struct option_reader *reader, const char *text)
{
    cleanup_free char *copy = memory_strdup(text);
    char *rest = copy;
    const char *path;
    const char *second;
    bool is_access;
    struct request_value *device;

    if (is_qualified(text))
        return put_qualified(reader, text);
    path = strsep(&rest, ":");
    second = strsep(&rest, ":");
    is_access = second != NULL && second[0] != '/';
    device = request_append(reader->request,
                            request_at(reader->request, reader->object, reader->row->member));
    put_text(reader, device, "PathOnHost", path);
    put_text(reader, device, "PathInContainer", second != NULL && !is_access ? second : path);
    put_text(reader, device, "CgroupPermissions", is_access ? second : rest != NULL ? rest : "rwm");
    return 0;
}

/* What --gpus says, while its fields are read. */
struct gpus {
    const struct option_reader *reader;
    struct request_value *request;
    struct request_value *capabilities; /* the list of what is needed together */
    bool has_devices;
    bool has_count;
    const char *list; /* the field that words without "=" go on with */
};

static int refuse_gpus(const struct option_reader *reader, const char *text)
{
    return error_set(&reader->cli->err, ERROR_INVALID, EINVAL,
                     "--gpus: \"%.64s\" is neither all, a number, device=NAME, count=N, "
                     "capabilities=WORD nor driver=NAME",
                     text);
}

static int take_count(struct gpus *gpus, const char *text)
{
    int64_t count = -1;

    if (strcmp(text, "all") != 0 && !number_parse(text, 1, INT32_MAX, &count))
        return refuse_gpus(gpus->reader, text);
    request_set_integer(request_at(gpus->reader->request, gpus->request, "Count"), count);
    gpus->has_count = true;
    return 0;
}

static int take_listed(struct gpus *gpus, const char *text)
{
    if (strcmp(gpus->list, "device") == 0) {
        add_text(gpus->reader, gpus->request, "DeviceIDs", text);
        gpus->has_devices = true;
    } else {
        request_set_text(gpus->reader->request,
                         request_append(gpus->reader->request, gpus->capabilities), text);
    }
    return 0;
}

/* "device=0", or a word that goes on with the list before it: docker wants quotes around those. */
static int take_gpus_field(struct gpus *gpus, char *field)
{
    static const char *const lists[] = {"device", "capabilities"};
    char *value = strchr(field, '=');

    if (value == NULL)
        return gpus->list != NULL ? take_listed(gpus, field) : take_count(gpus, field);
    *value++ = '\0';
    gpus->list = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        if (strcmp(lists[i], field) == 0)
            gpus->list = lists[i];
    }
    if (gpus->list != NULL && value[0] != '\0')
        return take_listed(gpus, value);
    if (strcmp(field, "count") == 0)
        return take_count(gpus, value);
    if (strcmp(field, "driver") != 0)
        return refuse_gpus(gpus->reader, field);
    put_text(gpus->reader, gpus->request, "Driver", value);
    return 0;
}

int read_gpus(const struct option_reader *reader, const char *text)
{
    cleanup_free char *copy = memory_strdup(text);
    struct request_value *requests =
        request_at(reader->request, reader->object, reader->row->member);
    struct gpus gpus = {.reader = reader, .request = request_append(reader->request, requests)};
    char *rest = copy;
    int result = 0;

    gpus.capabilities =
        request_append(reader->request, request_at(reader->request, gpus.request, "Capabilities"));
    request_set_text(reader->request, request_append(reader->request, gpus.capabilities), "gpu");
    for (char *field = strsep(&rest, ",\""); result == 0 && field != NULL;
         field = strsep(&rest, ",\"")) {
        if (field[0] != '\0')
            result = take_gpus_field(&gpus, field);
    }
    if (result == 0 && gpus.has_devices && gpus.has_count)
        return error_set(&reader->cli->err, ERROR_INVALID, EINVAL,
                         "--gpus: devices by name and a number of them do not go together");
    if (result == 0 && !gpus.has_devices && !gpus.has_count)
        request_set_integer(request_at(reader->request, gpus.request, "Count"), 1);
    return result;
}
