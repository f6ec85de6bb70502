/* Finding devices of the Container Device Interface and carrying out their edits: see cdi.h. */
#include "cdi.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "bundle.h"
#include "cdi_file.h"

#define FILES_MAX 1024

static const struct json_field class_fields[] = {
    JSON_FIELD(struct cdi_class_request, class_name, "class", JSON_KIND_STRING,
               .flags = JSON_REQUIRED),
    JSON_FIELD(struct cdi_class_request, wanted, "wanted", JSON_KIND_STRINGS),
    JSON_FIELD(struct cdi_class_request, count, "count", JSON_KIND_INT64),
};
static const struct json_struct class_type = JSON_STRUCT(struct cdi_class_request, class_fields);

static const struct json_field request_fields[] = {
    JSON_FIELD(struct cdi_request, directories, "directories", JSON_KIND_STRINGS),
    JSON_FIELD(struct cdi_request, devices, "devices", JSON_KIND_STRINGS),
    JSON_FIELD(struct cdi_request, classes, "classes", JSON_KIND_STRUCTS, .type = &class_type),
};
const struct json_struct cdi_request_type = JSON_STRUCT(struct cdi_request, request_fields);

/* A file that was read, and the place of its directory among all. */
struct known_file {
    size_t directory;
    bool is_used; /* its edits for all devices have been made */
    struct cdi_file file;
};

struct registry {
    struct arena *arena;
    const struct string_list *directories;
    struct known_file *files;
    size_t file_count;
    struct string_list problems; /* why files were passed over */
};

bool cdi_is_device(const char *name)
{
    const char *equals = strchr(name, '=');

    return equals != NULL && cdi_is_kind(name, (size_t)(equals - name)) &&
           cdi_is_name(equals + 1, strlen(equals + 1));
}

bool cdi_is_class(const char *name)
{
    return cdi_is_kind(name, strlen(name));
}

static bool is_cdi_file(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot != NULL && name[0] != '.' &&
           (strcmp(dot, ".json") == 0 || strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static void read_one(struct registry *registry, size_t directory, int directory_fd,
                     const char *name)
{
    const char *path =
        arena_printf(registry->arena, "%s/%s", registry->directories->items[directory], name);
    struct known_file known = {.directory = directory};
    struct error problem = {0};

    if (cdi_file_read(registry->arena, directory_fd, name, &known.file, &problem) < 0) {
        string_list_append(registry->arena, &registry->problems,
                           arena_printf(registry->arena, "%s: %s", path, problem.message));
        return;
    }
    known.file.path = path;
    registry->files =
        arena_grow(registry->arena, registry->files, registry->file_count, sizeof(known));
    registry->files[registry->file_count++] = known;
}

/* In the order of their names, so that what an error says does not depend on the directory's. */
static int read_directory(struct registry *registry, size_t directory, struct error *err)
{
    const char *path = registry->directories->items[directory];
    cleanup_dir DIR *dir = path_list(AT_FDCWD, path);
    struct string_list names = {0};
    struct dirent *entry;
    struct stat status;

    if (dir == NULL)
        return errno == ENOENT ? 0 : error_errno(err, errno, "%s", path);
    if (fstat(dirfd(dir), &status) < 0)
        return error_errno(err, errno, "%s", path);
    if (status.st_uid != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        string_list_append(registry->arena, &registry->problems,
                           arena_printf(registry->arena,
                                        "%s has to belong to root, and nobody else may write to it",
                                        path));
        return 0;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (!is_cdi_file(entry->d_name))
            continue;
        if (names.count + registry->file_count >= FILES_MAX)
            return error_set(err, ERROR_TOO_LARGE, E2BIG, "%s: more than %d files", path,
                             FILES_MAX);
        string_list_append(registry->arena, &names, arena_strdup(registry->arena, entry->d_name));
    }
    string_list_sort(&names);
    for (size_t i = 0; i < names.count; i++)
        read_one(registry, directory, dirfd(dir), names.items[i]);
    return 0;
}

/* A device in its file. */
struct found {
    struct known_file *known;
    const struct cdi_device *device;
};

static const struct cdi_device *device_of_file(const struct cdi_file *file, const char *kind,
                                               size_t kind_length, const char *name)
{
    if (strlen(file->kind) != kind_length || strncmp(file->kind, kind, kind_length) != 0)
        return NULL;
    for (size_t i = 0; i < file->devices.count; i++) {
        if (strcmp(file->devices.items[i].name, name) == 0)
            return &file->devices.items[i];
    }
    return NULL;
}

/* The names that files have of a class, each once. */
static void list_class(const struct registry *registry, const char *class_name, size_t length,
                       struct string_list *names)
{
    for (size_t i = 0; i < registry->file_count; i++) {
        const struct cdi_file *file = &registry->files[i].file;

        if (strlen(file->kind) != length || strncmp(file->kind, class_name, length) != 0)
            continue;
        for (size_t j = 0; j < file->devices.count; j++) {
            if (!string_list_has(names, file->devices.items[j].name))
                string_list_append(registry->arena, names, file->devices.items[j].name);
        }
    }
}

/* `name` is that of a device or of a class. */
static int refuse_unknown(const struct registry *registry, const char *name, struct error *err)
{
    size_t length = strcspn(name, "=");
    struct arena *arena = registry->arena;
    struct string_list known = {0};
    const char *said = "";

    list_class(registry, name, length, &known);
    if (known.count > 0)
        said = arena_printf(arena, "; of %.*s there are: %s", (int)length, name,
                            string_list_join(arena, &known, ", "));
    if (registry->problems.count > 0)
        said = arena_printf(arena, "%s; passed over: %s", said,
                            string_list_join(arena, &registry->problems, "; "));
    return error_set(err, ERROR_NOT_FOUND, ENODEV, "device %.256s: no file of %s has %s%s", name,
                     string_list_join(arena, registry->directories, ", "),
                     name[length] == '=' ? "it" : "so many", said);
}

static int find_device(const struct registry *registry, const char *name, struct found *found,
                       struct error *err)
{
    size_t kind_length = strcspn(name, "=");

    *found = (struct found){0};
    for (size_t i = registry->file_count; i > 0; i--) {
        struct known_file *known = &registry->files[i - 1];
        const struct cdi_device *device =
            device_of_file(&known->file, name, kind_length, name + kind_length + 1);

        if (found->known != NULL && found->known->directory != known->directory)
            break;
        if (device != NULL && found->known != NULL)
            return error_set(err, ERROR_CONFLICT, ENODEV, "device %.256s: %s and %s both have it",
                             name, known->file.path, found->known->file.path);
        if (device != NULL)
            *found = (struct found){known, device};
    }
    return found->device != NULL ? 0 : refuse_unknown(registry, name, err);
}

/* The edits, one function each. They share what is changed. */
struct edit {
    struct arena *arena;
    struct oci_config *config;
    struct error *err;
};

static void add_variables(const struct edit *edit, const struct string_list *env)
{
    struct oci_process *process = edit->config->process;
    struct string_list merged;

    env_merge(edit->arena, &process->env, env, &merged);
    process->env = merged;
}

/* Takes type, numbers and mode from the host's node where the file does not say them. */
static int complete_device(const struct edit *edit, const struct cdi_device_node *node,
                           struct oci_device *device)
{
    const char *host =
        node->host_path != NULL && node->host_path[0] != '\0' ? node->host_path : node->path;
    struct stat status;
    const char *type;

    device->type = node->type;
    device->major = node->major.value;
    device->minor = node->minor.value;
    device->file_mode = node->file_mode;
    if (node->type != NULL && node->type[0] != '\0' &&
        (strcmp(node->type, "p") == 0 || (node->major.is_set && node->minor.is_set)))
        return 0;
    if (stat(host, &status) < 0)
        return error_errno(edit->err, errno, "%s", host);
    if (!S_ISCHR(status.st_mode) && !S_ISBLK(status.st_mode) && !S_ISFIFO(status.st_mode))
        return error_set(edit->err, ERROR_INVALID, ENODEV, "%s is no device", host);
    type = S_ISCHR(status.st_mode) ? "c" : S_ISBLK(status.st_mode) ? "b" : "p";
    if (device->type == NULL || device->type[0] == '\0')
        device->type = type;
    if (strcmp(strcmp(device->type, "u") == 0 ? "c" : device->type, type) != 0)
        return error_set(edit->err, ERROR_INVALID, EINVAL, "%s is not of type %s", host,
                         device->type);
    if (!node->major.is_set)
        device->major = major(status.st_rdev);
    if (!node->minor.is_set)
        device->minor = minor(status.st_rdev);
    if (!device->file_mode.is_set)
        device->file_mode = (struct optional_uint64){true, status.st_mode & 0777};
    return 0;
}

static void add_device_rule(const struct edit *edit, const struct oci_device *device,
                            const char *permissions)
{
    struct oci_linux *linux_part = edit->config->linux;
    const struct oci_device_rule rule = {
        .is_allowed = true,
        .type = strcmp(device->type, "b") == 0 ? "b" : "c",
        .major = {true, device->major},
        .minor = {true, device->minor},
        .access = permissions != NULL && permissions[0] != '\0' ? permissions : "rwm",
    };
    struct oci_resources *resources = linux_part->resources;

    if (strcmp(device->type, "p") == 0 || strcmp(rule.access, "none") == 0)
        return;
    if (resources == NULL)
        resources = linux_part->resources = arena_new(edit->arena, 1, sizeof(*resources));
    resources->devices.items =
        arena_grow(edit->arena, resources->devices.items, resources->devices.count, sizeof(rule));
    resources->devices.items[resources->devices.count++] = rule;
}

static int add_device(const struct edit *edit, const struct cdi_device_node *node)
{
    struct oci_linux *linux_part = edit->config->linux;
    struct oci_device device = {
        .path = node->path,
        .uid = node->uid.is_set ? (uint32_t)node->uid.value : CDI_OWNER_OF_PROCESS,
        .gid = node->gid.is_set ? (uint32_t)node->gid.value : CDI_OWNER_OF_PROCESS,
    };
    int result = complete_device(edit, node, &device);

    if (result < 0)
        return error_prefix(edit->err, "device node %s", node->path);
    add_device_rule(edit, &device, node->permissions);
    for (size_t i = 0; i < linux_part->devices.count; i++) {
        if (strcmp(linux_part->devices.items[i].path, device.path) == 0) {
            linux_part->devices.items[i] = device;
            return 0;
        }
    }
    linux_part->devices.items = arena_grow(edit->arena, linux_part->devices.items,
                                           linux_part->devices.count, sizeof(device));
    linux_part->devices.items[linux_part->devices.count++] = device;
    return 0;
}

/* Replaces a mount at the same place. Without a type it can only be a bind mount. */
static void add_mount(const struct edit *edit, const struct cdi_mount *mount)
{
    struct oci_config *config = edit->config;
    size_t kept = 0;

    for (size_t i = 0; i < config->mounts.count; i++) {
        if (strcmp(config->mounts.items[i].destination, mount->container_path) != 0)
            config->mounts.items[kept++] = config->mounts.items[i];
    }
    config->mounts.items =
        arena_grow(edit->arena, config->mounts.items, kept, sizeof(struct oci_mount));
    config->mounts.items[kept] = (struct oci_mount){
        .destination = mount->container_path,
        .source = mount->host_path,
        .type = mount->type != NULL && mount->type[0] != '\0' ? mount->type : "bind",
        .options = mount->options,
    };
    config->mounts.count = kept + 1;
    oci_mounts_sort(config->mounts.items, config->mounts.count);
}

static void add_hook(const struct edit *edit, const struct cdi_hook *hook)
{
    struct oci_config *config = edit->config;
    oci_hook_list *list;

    if (config->hooks == NULL)
        config->hooks = arena_new(edit->arena, 1, sizeof(*config->hooks));
    list = cdi_hook_list(config->hooks, hook->name);
    list->items = arena_grow(edit->arena, list->items, list->count, sizeof(hook->hook));
    list->items[list->count++] = hook->hook;
}

/* To those that are resolved when the user of the process is. SPEC.md: "Values of 0 are ignored".
 */
static void add_groups(const struct edit *edit, const struct json *gids)
{
    for (size_t i = 0; gids != NULL && i < gids->count; i++) {
        const char *before = string_map_get(&edit->config->annotations, BUNDLE_ANNOTATION_GROUPS);
        uint64_t gid;
        const char *text;

        if (json_to_uint64(&gids->items[i], &gid) < 0 || gid == 0)
            continue;
        text = before != NULL && before[0] != '\0'
                   ? arena_printf(edit->arena, "%s,%" PRIu64, before, gid)
                   : arena_printf(edit->arena, "%" PRIu64, gid);
        string_map_set(edit->arena, &edit->config->annotations, BUNDLE_ANNOTATION_GROUPS, text);
    }
}

static void add_net_device(const struct edit *edit, const struct oci_net_device *device)
{
    struct oci_linux *linux_part = edit->config->linux;

    for (size_t i = 0; i < linux_part->net_devices.count; i++) {
        if (strcmp(linux_part->net_devices.items[i].host_name, device->host_name) == 0) {
            linux_part->net_devices.items[i] = *device;
            return;
        }
    }
    linux_part->net_devices.items = arena_grow(edit->arena, linux_part->net_devices.items,
                                               linux_part->net_devices.count, sizeof(*device));
    linux_part->net_devices.items[linux_part->net_devices.count++] = *device;
}

static int make_edits(const struct edit *edit, const struct cdi_edits *edits)
{
    int result = 0;

    add_variables(edit, &edits->env);
    for (size_t i = 0; result == 0 && i < edits->device_nodes.count; i++)
        result = add_device(edit, &edits->device_nodes.items[i]);
    for (size_t i = 0; i < edits->mounts.count; i++)
        add_mount(edit, &edits->mounts.items[i]);
    for (size_t i = 0; i < edits->hooks.count; i++)
        add_hook(edit, &edits->hooks.items[i]);
    add_groups(edit, edits->additional_gids);
    add_groups(edit, edits->additional_gids_as_printed);
    if (edits->intel_rdt != NULL) {
        struct oci_intel_rdt *rdt = arena_new(edit->arena, 1, sizeof(*rdt));

        *rdt = *edits->intel_rdt;
        rdt->enable_monitoring = rdt->enable_monitoring || rdt->enable_cmt || rdt->enable_mbm;
        edit->config->linux->intel_rdt = rdt;
    }
    for (size_t i = 0; i < edits->net_devices.count; i++)
        add_net_device(edit, &edits->net_devices.items[i]);
    return result;
}

static int add_named(const struct registry *registry, const char *name, const struct edit *edit)
{
    struct found found;
    int result = find_device(registry, name, &found, edit->err);

    if (result < 0)
        return result;
    assert(found.known != NULL);
    if (!found.known->is_used)
        result = make_edits(edit, &found.known->file.edits);
    found.known->is_used = true;
    if (result == 0)
        result = make_edits(edit, &found.device->edits);
    return result < 0 ? error_prefix(edit->err, "device %.256s (%s)", name, found.known->file.path)
                      : 0;
}

/* Vendors call one device by several names: "0" and "GPU-8a0b...". Where some are numbers, these
 * are what is counted. */
static bool is_number(const char *name)
{
    return strspn(name, "0123456789") == strlen(name);
}

static bool has_numbers(const struct string_list *names)
{
    for (size_t i = 0; i < names->count; i++) {
        if (is_number(names->items[i]))
            return true;
    }
    return false;
}

/* What is asked for of a class: by name, the device "all", or the first so many of the others. */
static void choose_devices(const struct registry *registry, const struct cdi_class_request *request,
                           struct string_list *names)
{
    struct string_list known = {0};
    bool counts_numbers;

    *names = request->wanted;
    if (request->wanted.count > 0)
        return;
    list_class(registry, request->class_name, strlen(request->class_name), &known);
    if (request->count < 0 && string_list_has(&known, "all")) {
        string_list_append(registry->arena, names, "all");
        return;
    }
    counts_numbers = has_numbers(&known);
    for (size_t i = 0; i < known.count; i++) {
        if (strcmp(known.items[i], "all") != 0 && (!counts_numbers || is_number(known.items[i])) &&
            (request->count < 0 || names->count < (uint64_t)request->count))
            string_list_append(registry->arena, names, known.items[i]);
    }
}

static int add_class(const struct registry *registry, const struct cdi_class_request *request,
                     const struct edit *edit)
{
    struct string_list names;
    int result = 0;

    choose_devices(registry, request, &names);
    if (names.count == 0 || (request->count > 0 && names.count < (uint64_t)request->count))
        return refuse_unknown(registry, request->class_name, edit->err);
    for (size_t i = 0; result == 0 && i < names.count; i++)
        result = add_named(
            registry, arena_printf(registry->arena, "%s=%s", request->class_name, names.items[i]),
            edit);
    return result;
}

int cdi_apply(struct arena *arena, const struct cdi_request *request, struct oci_config *config,
              struct error *err)
{
    struct registry registry = {.arena = arena, .directories = &request->directories};
    const struct edit edit = {arena, config, err};
    int result = 0;

    for (size_t i = 0; result == 0 && i < request->directories.count; i++)
        result = read_directory(&registry, i, err);
    for (size_t i = 0; result == 0 && i < request->devices.count; i++)
        result = add_named(&registry, request->devices.items[i], &edit);
    for (size_t i = 0; result == 0 && i < request->classes.count; i++)
        result = add_class(&registry, &request->classes.items[i], &edit);
    return result < 0 ? result : oci_config_check(arena, config, err);
}

void cdi_own_devices(struct oci_config *config)
{
    const struct oci_user *user = &config->process->user;

    for (size_t i = 0; i < config->linux->devices.count; i++) {
        struct oci_device *device = &config->linux->devices.items[i];

        if (device->uid == CDI_OWNER_OF_PROCESS)
            device->uid = user->uid;
        if (device->gid == CDI_OWNER_OF_PROCESS)
            device->gid = user->gid;
    }
}
