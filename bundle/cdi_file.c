/* Decoding and checking files of the Container Device Interface: SPEC.md "CDI JSON Specification".
 */
#include "cdi_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "base/yaml_document.h"
#include "cdi.h"

#define FIELD JSON_FIELD

#define FILE_MAX_BYTES (4 << 20)
#define GIDS_MAX 64
#define LIST_MAX 4096          /* entries of a list: each is compared with others */
#define DEVICE_MAJOR_MAX 0xfff /* what mknod(2) takes */
#define DEVICE_MINOR_MAX 0xfffff
#define KIND_PREFIX_MAX 253
#define KIND_NAME_MAX 63

static const struct json_field node_fields[] = {
    FIELD(struct cdi_device_node, path, "path", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct cdi_device_node, host_path, "hostPath", JSON_KIND_STRING),
    FIELD(struct cdi_device_node, type, "type", JSON_KIND_STRING),
    FIELD(struct cdi_device_node, major, "major", JSON_KIND_OPTIONAL_INT64,
          .maximum = DEVICE_MAJOR_MAX),
    FIELD(struct cdi_device_node, minor, "minor", JSON_KIND_OPTIONAL_INT64,
          .maximum = DEVICE_MINOR_MAX),
    FIELD(struct cdi_device_node, file_mode, "fileMode", JSON_KIND_OPTIONAL_UINT64,
          .maximum = UINT32_MAX),
    FIELD(struct cdi_device_node, permissions, "permissions", JSON_KIND_STRING),
    FIELD(struct cdi_device_node, uid, "uid", JSON_KIND_OPTIONAL_UINT64, .maximum = UINT32_MAX - 1),
    FIELD(struct cdi_device_node, gid, "gid", JSON_KIND_OPTIONAL_UINT64, .maximum = UINT32_MAX - 1),
};
static const struct json_struct node_type = JSON_CLOSED_STRUCT(struct cdi_device_node, node_fields);

static const struct json_field mount_fields[] = {
    FIELD(struct cdi_mount, host_path, "hostPath", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct cdi_mount, container_path, "containerPath", JSON_KIND_STRING,
          .flags = JSON_REQUIRED),
    FIELD(struct cdi_mount, type, "type", JSON_KIND_STRING),
    FIELD(struct cdi_mount, options, "options", JSON_KIND_STRINGS),
};
static const struct json_struct mount_type = JSON_CLOSED_STRUCT(struct cdi_mount, mount_fields);

static const struct json_field hook_fields[] = {
    FIELD(struct cdi_hook, name, "hookName", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct cdi_hook, hook.path, "path", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct cdi_hook, hook.args, "args", JSON_KIND_STRINGS),
    FIELD(struct cdi_hook, hook.env, "env", JSON_KIND_STRINGS),
    FIELD(struct cdi_hook, hook.timeout, "timeout", JSON_KIND_OPTIONAL_INT64, .minimum = INT64_MIN,
          .maximum = 86400),
};
static const struct json_struct hook_type = JSON_CLOSED_STRUCT(struct cdi_hook, hook_fields);

static const struct json_field rdt_fields[] = {
    FIELD(struct oci_intel_rdt, clos_id, "closID", JSON_KIND_STRING),
    FIELD(struct oci_intel_rdt, l3_cache_schema, "l3CacheSchema", JSON_KIND_STRING),
    FIELD(struct oci_intel_rdt, mem_bw_schema, "memBwSchema", JSON_KIND_STRING),
    FIELD(struct oci_intel_rdt, schemata, "schemata", JSON_KIND_STRINGS),
    FIELD(struct oci_intel_rdt, schemata, "schema", JSON_KIND_STRINGS), /* as SPEC.md prints it */
    FIELD(struct oci_intel_rdt, enable_monitoring, "enableMonitoring", JSON_KIND_BOOL),
    FIELD(struct oci_intel_rdt, enable_cmt, "enableCMT", JSON_KIND_BOOL),
    FIELD(struct oci_intel_rdt, enable_mbm, "enableMBM", JSON_KIND_BOOL),
};
static const struct json_struct rdt_type = JSON_CLOSED_STRUCT(struct oci_intel_rdt, rdt_fields);

static const struct json_field net_device_fields[] = {
    FIELD(struct oci_net_device, host_name, "hostInterfaceName", JSON_KIND_STRING,
          .flags = JSON_REQUIRED),
    FIELD(struct oci_net_device, name, "name", JSON_KIND_STRING, .flags = JSON_REQUIRED),
};
static const struct json_struct net_device_type =
    JSON_CLOSED_STRUCT(struct oci_net_device, net_device_fields);

static const struct json_field edit_fields[] = {
    FIELD(struct cdi_edits, env, "env", JSON_KIND_STRINGS),
    FIELD(struct cdi_edits, device_nodes, "deviceNodes", JSON_KIND_STRUCTS, .type = &node_type),
    FIELD(struct cdi_edits, mounts, "mounts", JSON_KIND_STRUCTS, .type = &mount_type),
    FIELD(struct cdi_edits, hooks, "hooks", JSON_KIND_STRUCTS, .type = &hook_type),
    FIELD(struct cdi_edits, additional_gids, "additionalGids", JSON_KIND_JSON),
    FIELD(struct cdi_edits, additional_gids_as_printed, "additionalGIDs", JSON_KIND_JSON),
    FIELD(struct cdi_edits, intel_rdt, "intelRdt", JSON_KIND_STRUCT, .type = &rdt_type),
    FIELD(struct cdi_edits, net_devices, "netDevices", JSON_KIND_STRUCTS, .type = &net_device_type),
};
static const struct json_struct edits_type = JSON_CLOSED_STRUCT(struct cdi_edits, edit_fields);

static const struct json_field device_fields[] = {
    FIELD(struct cdi_device, name, "name", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct cdi_device, annotations, "annotations", JSON_KIND_STRING_MAP),
    FIELD(struct cdi_device, edits, "containerEdits", JSON_KIND_INLINE, .type = &edits_type),
};
static const struct json_struct device_type = JSON_CLOSED_STRUCT(struct cdi_device, device_fields);

static const struct json_field file_fields[] = {
    FIELD(struct cdi_file, version, "cdiVersion", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct cdi_file, kind, "kind", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct cdi_file, annotations, "annotations", JSON_KIND_STRING_MAP),
    FIELD(struct cdi_file, devices, "devices", JSON_KIND_STRUCTS, .type = &device_type,
          .flags = JSON_REQUIRED),
    FIELD(struct cdi_file, edits, "containerEdits", JSON_KIND_INLINE, .type = &edits_type),
};
static const struct json_struct file_type = JSON_CLOSED_STRUCT(struct cdi_file, file_fields);

/* A version as one number that can be compared. */
#define VERSION(major, minor) ((major) << 16 | (minor))

/* "1.1.0"; false for what is no such version. What only differs in the last number is the same
 * specification. */
static bool read_version(const char *text, unsigned int *version)
{
    uint64_t numbers[3];

    for (int i = 0; i < 3; i++) {
        if (i > 0 && *text++ != '.')
            return false;
        if (!number_take(&text, 10, UINT16_MAX, &numbers[i]))
            return false;
    }
    *version = VERSION((unsigned int)numbers[0], (unsigned int)numbers[1]);
    return *text == '\0';
}

static bool is_alphanumeric(char c)
{
    return isalnum((unsigned char)c) && (unsigned char)c < 0x80;
}

bool cdi_is_name(const char *name, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!is_alphanumeric(name[i]) &&
            (i == 0 || i + 1 == length || strchr("-_.:", name[i]) == NULL))
            return false;
    }
    return length > 0;
}

/* Labels of letters, digits and dashes, with a letter or digit at both ends. */
static bool is_subdomain(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        bool is_edge = i == 0 || i + 1 == length || text[i - 1] == '.' || text[i + 1] == '.';

        if (!is_alphanumeric(text[i]) && (is_edge || (text[i] != '-' && text[i] != '.')))
            return false;
    }
    return length > 0 && length <= KIND_PREFIX_MAX;
}

bool cdi_is_kind(const char *kind, size_t length)
{
    const char *slash = memchr(kind, '/', length);
    size_t prefix = slash != NULL ? (size_t)(slash - kind) : 0;
    size_t name = slash != NULL ? length - prefix - 1 : 0;

    return is_subdomain(kind, prefix) && name <= KIND_NAME_MAX && cdi_is_name(slash + 1, name) &&
           memchr(slash + 1, ':', name) == NULL;
}

oci_hook_list *cdi_hook_list(struct oci_hooks *hooks, const char *name)
{
    const struct {
        const char *name;
        oci_hook_list *list;
    } lists[] = {
        {"prestart", &hooks->prestart},
        {"createRuntime", &hooks->create_runtime},
        {"createContainer", &hooks->create_container},
        {"startContainer", &hooks->start_container},
        {"poststart", &hooks->poststart},
        {"poststop", &hooks->poststop},
    };

    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        if (strcmp(lists[i].name, name) == 0)
            return lists[i].list;
    }
    return NULL;
}

static int check_env(const struct cdi_edits *edits, struct error *err)
{
    for (size_t i = 0; i < edits->env.count; i++) {
        const char *equals = strchr(edits->env.items[i], '=');

        if (equals == NULL || equals == edits->env.items[i])
            return error_set(err, ERROR_INVALID, EINVAL, "env[%zu]: \"%.64s\" is not NAME=VALUE", i,
                             edits->env.items[i]);
    }
    return 0;
}

static int check_node(const struct cdi_device_node *node, struct error *err)
{
    static const char *const types[] = {"b", "c", "u", "p"};
    bool is_known = node->type == NULL || node->type[0] == '\0';

    if (node->path[0] != '/' ||
        (node->host_path != NULL && node->host_path[0] != '/' && node->host_path[0] != '\0'))
        return error_set(err, ERROR_INVALID, EINVAL, "path and hostPath have to be absolute");
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        is_known = is_known || strcmp(node->type, types[i]) == 0;
    if (!is_known)
        return error_set(err, ERROR_INVALID, EINVAL, "type: \"%.16s\" is none of b, c, u and p",
                         node->type);
    if (node->permissions != NULL && strcmp(node->permissions, "none") != 0 &&
        strspn(node->permissions, "rwm") != strlen(node->permissions))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "permissions: \"%.16s\" is neither made of r, w and m nor none",
                         node->permissions);
    return 0;
}

static int check_mount(const struct cdi_mount *mount, struct error *err)
{
    bool is_bind = mount->type == NULL || mount->type[0] == '\0' ||
                   string_list_has(&mount->options, "bind") ||
                   string_list_has(&mount->options, "rbind");

    if (mount->host_path[0] == '\0' || (is_bind && mount->host_path[0] != '/') ||
        mount->container_path[0] != '/')
        return error_set(err, ERROR_INVALID, EINVAL,
                         "hostPath and containerPath have to be absolute");
    return 0;
}

static int check_hook(const struct cdi_hook *hook, struct error *err)
{
    struct oci_hooks hooks;

    if (cdi_hook_list(&hooks, hook->name) == NULL)
        return error_set(err, ERROR_INVALID, EINVAL, "hookName: there is no hook \"%.32s\"",
                         hook->name);
    if (hook->hook.path[0] != '/')
        return error_set(err, ERROR_INVALID, EINVAL, "path: \"%.64s\" is not absolute",
                         hook->hook.path);
    if (hook->hook.timeout.is_set && hook->hook.timeout.value <= 0)
        return error_set(err, ERROR_INVALID, EINVAL, "timeout: has to be greater than zero");
    return 0;
}

static int check_gids(const struct json *gids, struct error *err)
{
    if (gids != NULL && (gids->type != JSON_ARRAY || gids->count > GIDS_MAX))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "additionalGids: a list of %d at the most is expected", GIDS_MAX);
    for (size_t i = 0; gids != NULL && i < gids->count; i++) {
        uint64_t value;

        if (json_to_uint64(&gids->items[i], &value) < 0 || value > UINT32_MAX)
            return error_set(err, ERROR_INVALID, EINVAL, "additionalGids[%zu]: no group id", i);
    }
    return 0;
}

static int check_net_device(const struct oci_net_device *device, struct error *err)
{
    if (device->host_name[0] == '\0' || device->name[0] == '\0')
        return error_set(err, ERROR_INVALID, EINVAL, "hostInterfaceName and name are needed");
    return 0;
}

#define CHECK_EACH(list, name, check)                           \
    for (size_t i = 0; result == 0 && i < (list)->count; i++) { \
        result = (check)(&(list)->items[i], err);               \
        if (result < 0)                                         \
            error_prefix(err, "%s[%zu]", name, i);              \
    }

static int check_lengths(const struct cdi_edits *edits, struct error *err)
{
    const size_t counts[] = {edits->env.count, edits->device_nodes.count, edits->mounts.count,
                             edits->hooks.count, edits->net_devices.count};

    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        if (counts[i] > LIST_MAX)
            return error_set(err, ERROR_TOO_LARGE, E2BIG, "a list of more than %d entries",
                             LIST_MAX);
    }
    return 0;
}

static int check_edits(const struct cdi_edits *edits, struct error *err)
{
    int result = check_lengths(edits, err);

    if (result == 0)
        result = check_env(edits, err);

    CHECK_EACH(&edits->device_nodes, "deviceNodes", check_node)
    CHECK_EACH(&edits->mounts, "mounts", check_mount)
    CHECK_EACH(&edits->hooks, "hooks", check_hook)
    CHECK_EACH(&edits->net_devices, "netDevices", check_net_device)
    if (result == 0)
        result = check_gids(edits->additional_gids, err);
    if (result == 0)
        result = check_gids(edits->additional_gids_as_printed, err);
    return result < 0 ? error_prefix(err, "containerEdits") : 0;
}

static void raise_to(unsigned int *needed, bool is_used, unsigned int version)
{
    if (is_used && *needed < version)
        *needed = version;
}

static void raise_for_edits(unsigned int *needed, const struct cdi_edits *edits)
{
    const struct oci_intel_rdt *rdt = edits->intel_rdt;

    for (size_t i = 0; i < edits->mounts.count; i++)
        raise_to(needed, edits->mounts.items[i].type != NULL, VERSION(0, 4));
    for (size_t i = 0; i < edits->device_nodes.count; i++)
        raise_to(needed, edits->device_nodes.items[i].host_path != NULL, VERSION(0, 5));
    raise_to(needed, rdt != NULL, VERSION(0, 7));
    raise_to(needed, edits->additional_gids != NULL || edits->additional_gids_as_printed != NULL,
             VERSION(0, 7));
    raise_to(needed, edits->net_devices.count > 0, VERSION(1, 1));
    raise_to(needed, rdt != NULL && (rdt->schemata.count > 0 || rdt->enable_monitoring),
             VERSION(1, 1));
}

/* What is called enableMonitoring since 1.1.0. */
static bool wants_old_monitoring(const struct cdi_edits *edits)
{
    return edits->intel_rdt != NULL &&
           (edits->intel_rdt->enable_cmt || edits->intel_rdt->enable_mbm);
}

static bool has_dropped_members(const struct cdi_file *file)
{
    bool is_used = wants_old_monitoring(&file->edits);

    for (size_t i = 0; i < file->devices.count; i++)
        is_used = is_used || wants_old_monitoring(&file->devices.items[i].edits);
    return is_used;
}

/* SPEC.md "Released versions": a file that uses what its version does not have is refused. */
static int check_version(const struct cdi_file *file, struct error *err)
{
    unsigned int needed = VERSION(0, 3);
    unsigned int newest = 0;
    unsigned int version = 0;

    read_version(CDI_VERSION, &newest);
    if (!read_version(file->version, &version) || version > newest)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "cdiVersion: \"%.32s\" is no version up to " CDI_VERSION, file->version);
    raise_to(&needed, file->annotations.count > 0, VERSION(0, 6));
    raise_to(&needed, strchr(strchr(file->kind, '/'), '.') != NULL, VERSION(0, 6));
    raise_for_edits(&needed, &file->edits);
    for (size_t i = 0; i < file->devices.count; i++) {
        const struct cdi_device *device = &file->devices.items[i];

        raise_to(&needed, isdigit((unsigned char)device->name[0]), VERSION(0, 5));
        raise_to(&needed, device->annotations.count > 0, VERSION(0, 6));
        raise_for_edits(&needed, &device->edits);
    }
    if (version >= VERSION(1, 1) && has_dropped_members(file))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "intelRdt: enableCMT and enableMBM are not in %s any more, which has "
                         "enableMonitoring",
                         file->version);
    if (version < needed)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "cdiVersion: \"%s\" does not have what the file uses, %u.%u.0 does",
                         file->version, needed >> 16, needed & 0xffff);
    return 0;
}

static int check_device(const struct cdi_device *device, struct error *err)
{
    if (!cdi_is_name(device->name, strlen(device->name)))
        return error_set(err, ERROR_INVALID, EINVAL, "name: \"%.64s\" is no name of a device",
                         device->name);
    return check_edits(&device->edits, err);
}

static int check_names(const struct cdi_file *file, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct string_list names = {0};

    for (size_t i = 0; i < file->devices.count; i++)
        string_list_append(&arena, &names, file->devices.items[i].name);
    string_list_sort(&names);
    for (size_t i = 1; i < names.count; i++) {
        if (strcmp(names.items[i - 1], names.items[i]) == 0)
            return error_set(err, ERROR_INVALID, EINVAL, "devices: two are called \"%.64s\"",
                             names.items[i]);
    }
    return 0;
}

static int check_file(const struct cdi_file *file, struct error *err)
{
    int result = 0;

    if (!cdi_is_kind(file->kind, strlen(file->kind)))
        return error_set(err, ERROR_INVALID, EINVAL, "kind: \"%.64s\" is not like vendor.com/class",
                         file->kind);
    if (file->devices.count == 0 || file->devices.count > LIST_MAX)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "devices: one at least is needed, and %d are possible", LIST_MAX);
    CHECK_EACH(&file->devices, "devices", check_device)
    if (result == 0)
        result = check_names(file, err);
    if (result == 0)
        result = check_edits(&file->edits, err);
    return result < 0 ? result : check_version(file, err);
}

int cdi_file_parse(struct arena *arena, const char *text, size_t length, bool is_yaml,
                   struct cdi_file *file, struct error *err)
{
    const struct json *document;
    int result = is_yaml ? yaml_parse(arena, text, length, &json_default_limits, &document, err)
                         : json_parse(arena, text, length, &json_default_limits, &document, err);

    if (result == 0)
        result = json_decode(arena, document, &file_type, "", file, err);
    return result < 0 ? result : check_file(file, err);
}

static int open_file(int directory_fd, const char *name, struct error *err)
{
    cleanup_close int fd = file_open_regular(directory_fd, name, O_RDONLY, 0);
    struct stat status;

    if (fd < 0)
        return error_errno(err, -fd, "open");
    if (fstat(fd, &status) < 0)
        return error_errno(err, errno, "stat");
    if (status.st_uid != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return error_set(err, ERROR_DENIED, EPERM,
                         "has to belong to root and nobody else may write to it: what it says is "
                         "done as root");
    return take_fd(&fd);
}

int cdi_file_read(struct arena *arena, int directory_fd, const char *name, struct cdi_file *file,
                  struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    cleanup_close int fd = open_file(directory_fd, name, err);
    size_t length = strlen(name);
    int result;

    if (fd < 0)
        return fd;
    result = file_read_fd(fd, FILE_MAX_BYTES, &text);
    if (result < 0)
        return error_errno(err, -result, "read");
    return cdi_file_parse(arena, buffer_text(&text), text.length,
                          length < 5 || strcmp(name + length - 5, ".json") != 0, file, err);
}
