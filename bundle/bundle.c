/* Configurations from images and options: see bundle.h. */
#include "bundle.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

#define LIST(...)                                                       \
    {                                                                   \
        .items = (const char *[]){__VA_ARGS__},                         \
        .count = sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *) \
    }

/* What a container finds mounted, in the order it is mounted. */
static const struct oci_mount standard_mounts[] = {
    {.destination = "/proc",
     .type = "proc",
     .source = "proc",
     .options = LIST("nosuid", "noexec", "nodev")},
    {.destination = "/dev",
     .type = "tmpfs",
     .source = "tmpfs",
     .options = LIST("nosuid", "strictatime", "mode=755", "size=65536k")},
    /* The kernel has 4096 terminals for all: one container cannot take them from the others. */
    {.destination = "/dev/pts",
     .type = "devpts",
     .source = "devpts",
     .options =
         LIST("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5", "max=256")},
    {.destination = "/sys",
     .type = "sysfs",
     .source = "sysfs",
     .options = LIST("nosuid", "noexec", "nodev", "ro")},
    {.destination = "/sys/fs/cgroup",
     .type = "cgroup",
     .source = "cgroup",
     .options = LIST("nosuid", "noexec", "nodev", "relatime", "ro")},
    {.destination = "/dev/mqueue",
     .type = "mqueue",
     .source = "mqueue",
     .options = LIST("nosuid", "noexec", "nodev")},
    {.destination = "/dev/shm",
     .type = "tmpfs",
     .source = "shm",
     .options = LIST("nosuid", "noexec", "nodev", "mode=1777", "size=65536k")},
};

/* Kernel interfaces that tell of the host or reach hardware: nothing a container needs. */
static const char *const masked_paths[] = {
    "/proc/acpi",        "/proc/asound",        "/proc/interrupts", "/proc/kcore",
    "/proc/keys",        "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
    "/proc/sched_debug", "/proc/scsi",          "/sys/firmware",    "/sys/devices/virtual/powercap",
};

static const char *const readonly_paths[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

static const char default_path[] =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static void copy_strings(struct arena *arena, const char *const *strings, size_t count,
                         struct string_list *list)
{
    list->items = arena_new(arena, count, sizeof(*list->items));
    list->count = count;
    for (size_t i = 0; i < count; i++)
        list->items[i] = strings[i];
}

static void add_namespaces(struct arena *arena, struct oci_linux *linux_part,
                           unsigned int host_namespaces)
{
    static const int types[] = {OCI_NAMESPACE_PID, OCI_NAMESPACE_MOUNT,  OCI_NAMESPACE_IPC,
                                OCI_NAMESPACE_UTS, OCI_NAMESPACE_CGROUP, OCI_NAMESPACE_NETWORK};

    linux_part->namespaces.items =
        arena_new(arena, ARRAY_SIZE(types) + 1, sizeof(struct oci_namespace));
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if ((host_namespaces & 1u << types[i]) == 0)
            linux_part->namespaces.items[linux_part->namespaces.count++].type = types[i];
    }
}

/* add_namespaces() has left room for one more. */
static void add_user_namespace(struct arena *arena, struct oci_linux *linux_part, uint32_t first)
{
    struct oci_id_mapping *mapping = arena_new(arena, 1, sizeof(*mapping));

    *mapping = (struct oci_id_mapping){.container_id = 0, .host_id = first, .size = ID_RANGE_SIZE};
    linux_part->namespaces.items[linux_part->namespaces.count++].type = OCI_NAMESPACE_USER;
    linux_part->uid_mappings.items = mapping;
    linux_part->uid_mappings.count = 1;
    linux_part->gid_mappings.items = mapping;
    linux_part->gid_mappings.count = 1;
}

/* Denies everything but what the options allow. The runtime adds the devices that every container
 * may use (resources_apply_devices()). */
static void set_device_rules(struct arena *arena, const struct bundle_options *options,
                             struct oci_resources *resources)
{
    size_t count = options->device_rules.count;

    resources->devices.items = arena_new(arena, count + 1, sizeof(struct oci_device_rule));
    resources->devices.count = count + 1;
    resources->devices.items[0].access = "rwm";
    for (size_t i = 0; i < count; i++)
        resources->devices.items[i + 1] = options->device_rules.items[i];
}

static size_t path_depth(const char *path)
{
    size_t depth = 0;

    for (; *path != '\0'; path++) {
        if (*path == '/' && path[1] != '/' && path[1] != '\0')
            depth++;
    }
    return depth;
}

/* Few enough for insertion, which keeps the order of equals. */
void oci_mounts_sort(struct oci_mount *mounts, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct oci_mount mount = mounts[i];
        size_t j = i;

        while (j > 0 && path_depth(mounts[j - 1].destination) > path_depth(mount.destination)) {
            mounts[j] = mounts[j - 1];
            j--;
        }
        mounts[j] = mount;
    }
}

static bool is_replaced(const struct bundle_options *options, const char *destination)
{
    for (size_t i = 0; i < options->mounts.count; i++) {
        if (strcmp(options->mounts.items[i].destination, destination) == 0)
            return true;
    }
    return false;
}

static bool is_at(const struct oci_mount *mount, const char *destination)
{
    return strcmp(mount->destination, destination) == 0;
}

/* A privileged container may write to the kernel's filesystems. */
static void make_writable(struct arena *arena, struct oci_mount *mount)
{
    struct string_list options = {0};

    for (size_t i = 0; i < mount->options.count; i++) {
        const char *option = mount->options.items[i];

        string_list_append(arena, &options, strcmp(option, "ro") == 0 ? "rw" : option);
    }
    mount->options = options;
}

static void set_shm_size(struct arena *arena, struct oci_mount *mount, int64_t bytes)
{
    struct string_list options = {0};

    for (size_t i = 0; i + 1 < mount->options.count; i++)
        string_list_append(arena, &options, mount->options.items[i]);
    string_list_append(arena, &options, arena_printf(arena, "size=%lld", (long long)bytes));
    mount->options = options;
}

/* A container that shares an IPC namespace shares its /dev/shm as well: binds `source` there. */
static void bind_shm(struct arena *arena, struct oci_mount *mount, const char *source)
{
    static const char *const options[] = {"bind", "nosuid", "noexec", "nodev"};

    mount->type = "bind";
    mount->source = source;
    mount->options = (struct string_list){0};
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        string_list_append(arena, &mount->options, options[i]);
}

static void adapt_standard_mount(struct arena *arena, const struct bundle_options *options,
                                 struct oci_mount *mount)
{
    bool has_host_ipc = (options->host_namespaces & 1u << OCI_NAMESPACE_IPC) != 0;

    if (options->is_privileged)
        make_writable(arena, mount);
    if (has_host_ipc && is_at(mount, "/dev/shm"))
        bind_shm(arena, mount, mount->destination);
    else if (options->shares_shm && is_at(mount, "/dev/shm"))
        bind_shm(arena, mount, BUNDLE_SHARED_SHM);
    else if (options->shm_bytes > 0 && is_at(mount, "/dev/shm"))
        set_shm_size(arena, mount, options->shm_bytes);
}

static void add_mounts(struct arena *arena, const struct bundle_options *options,
                       struct oci_config *config)
{
    size_t standard = 0;
    size_t room = ARRAY_SIZE(standard_mounts) + options->mounts.count;
    struct oci_mount *mounts = arena_new(arena, room, sizeof(*mounts));

    for (size_t i = 0; i < ARRAY_SIZE(standard_mounts); i++) {
        if (is_replaced(options, standard_mounts[i].destination) ||
            (options->has_no_shm && is_at(&standard_mounts[i], "/dev/shm")))
            continue;
        mounts[standard] = standard_mounts[i];
        adapt_standard_mount(arena, options, &mounts[standard++]);
    }
    for (size_t i = 0; i < options->mounts.count; i++)
        mounts[standard + i] = options->mounts.items[i];
    oci_mounts_sort(mounts + standard, options->mounts.count);
    config->mounts.items = mounts;
    config->mounts.count = standard + options->mounts.count;
}

const char *env_get(const struct string_list *env, const char *name)
{
    size_t length = strlen(name);

    for (size_t i = env->count; i > 0; i--) {
        const char *entry = env->items[i - 1];

        if (strncmp(entry, name, length) == 0 && entry[length] == '=')
            return entry + length + 1;
    }
    return NULL;
}

static size_t name_length(const char *entry)
{
    return strcspn(entry, "=");
}

static void env_remove(struct string_list *env, const char *entry)
{
    size_t length = name_length(entry);
    size_t kept = 0;

    for (size_t i = 0; i < env->count; i++) {
        const char *other = env->items[i];

        if (name_length(other) != length || strncmp(other, entry, length) != 0)
            env->items[kept++] = other;
    }
    env->count = kept;
}

void env_merge(struct arena *arena, const struct string_list *base,
               const struct string_list *changes, struct string_list *merged)
{
    merged->items = arena_new(arena, base->count + changes->count, sizeof(*merged->items));
    merged->count = 0;
    for (size_t i = 0; i < base->count; i++)
        merged->items[merged->count++] = base->items[i];
    for (size_t i = 0; i < changes->count; i++) {
        env_remove(merged, changes->items[i]);
        if (strchr(changes->items[i], '=') != NULL)
            merged->items[merged->count++] = changes->items[i];
    }
}

static void add_environment(struct arena *arena, const struct bundle_options *options,
                            struct string_list *env)
{
    struct string_list fixed = {arena_new(arena, 3, sizeof(char *)), 0};
    struct string_list with_image;

    fixed.items[fixed.count++] = default_path;
    if (options->hostname != NULL)
        fixed.items[fixed.count++] = arena_printf(arena, "HOSTNAME=%s", options->hostname);
    if (options->has_terminal)
        fixed.items[fixed.count++] = "TERM=xterm";
    env_merge(arena, &fixed, &options->image_env, &with_image);
    env_merge(arena, &with_image, &options->env, env);
}

static int add_process(struct arena *arena, const struct bundle_options *options,
                       struct oci_config *config, struct error *err)
{
    struct oci_process *process = arena_new(arena, 1, sizeof(*process));
    struct oci_capabilities *capabilities = arena_new(arena, 1, sizeof(*capabilities));
    int result = capabilities_resolve(arena, &options->cap_add, &options->cap_drop,
                                      &capabilities->bounding, err);

    if (result < 0)
        return result;
    if (options->args.count == 0)
        return error_set(err, ERROR_INVALID, EINVAL, "no command specified");
    config->process = process;
    /* Inheritable and ambient stay empty: file capabilities of the image must not add to them. */
    capabilities->effective = capabilities->bounding;
    capabilities->permitted = capabilities->bounding;
    process->capabilities = capabilities;
    process->has_terminal = options->has_terminal;
    process->args = options->args;
    process->cwd = options->working_dir != NULL && options->working_dir[0] != '\0'
                       ? options->working_dir
                       : "/";
    process->no_new_privileges = options->no_new_privileges;
    process->oom_score_adj = options->oom_score_adj;
    process->rlimits.items = options->rlimits.items;
    process->rlimits.count = options->rlimits.count;
    add_environment(arena, options, &process->env);
    return 0;
}

static void add_annotations(struct arena *arena, const struct bundle_options *options,
                            struct oci_config *config)
{
    struct string_map *annotations = &config->annotations;

    annotations->items =
        arena_new(arena, options->annotations.count + 3, sizeof(*annotations->items));
    for (size_t i = 0; i < options->annotations.count; i++)
        annotations->items[annotations->count++] = options->annotations.items[i];
    if (options->has_init)
        annotations->items[annotations->count++] =
            (struct string_pair){BUNDLE_ANNOTATION_INIT, "true"};
    if (options->user != NULL && options->user[0] != '\0')
        annotations->items[annotations->count++] =
            (struct string_pair){BUNDLE_ANNOTATION_USER, options->user};
    if (options->groups.count > 0)
        annotations->items[annotations->count++] = (struct string_pair){
            BUNDLE_ANNOTATION_GROUPS, string_list_join(arena, &options->groups, ",")};
}

static void add_hidden_paths(struct arena *arena, const struct bundle_options *options,
                             struct oci_linux *linux_part)
{
    if (options->is_privileged)
        return;
    if (options->masked_paths != NULL)
        linux_part->masked_paths = *options->masked_paths;
    else
        copy_strings(arena, masked_paths, ARRAY_SIZE(masked_paths), &linux_part->masked_paths);
    if (options->readonly_paths != NULL)
        linux_part->readonly_paths = *options->readonly_paths;
    else
        copy_strings(arena, readonly_paths, ARRAY_SIZE(readonly_paths),
                     &linux_part->readonly_paths);
}

int bundle_make_config(struct arena *arena, const struct bundle_options *options,
                       struct oci_config *config, struct error *err)
{
    struct oci_linux *linux_part = arena_new(arena, 1, sizeof(*linux_part));
    int result;

    config->oci_version = OCI_VERSION;
    config->root = arena_new(arena, 1, sizeof(*config->root));
    config->root->path = "rootfs";
    config->root->is_readonly = options->is_root_readonly;
    if ((options->host_namespaces & 1u << OCI_NAMESPACE_UTS) == 0) {
        config->hostname = options->hostname;
        config->domainname = options->domainname;
    }
    config->linux = linux_part;
    linux_part->mount_label = options->mount_label;
    result = add_process(arena, options, config, err);
    if (result < 0)
        return result;
    config->process->apparmor_profile = options->apparmor_profile;
    config->process->selinux_label = options->process_label;
    add_mounts(arena, options, config);
    add_namespaces(arena, linux_part, options->host_namespaces);
    if (options->id_range_first != 0)
        add_user_namespace(arena, linux_part, options->id_range_first);
    add_hidden_paths(arena, options, linux_part);
    linux_part->resources = options->resources != NULL
                                ? options->resources
                                : arena_new(arena, 1, sizeof(struct oci_resources));
    set_device_rules(arena, options, linux_part->resources);
    linux_part->devices.items = options->devices.items;
    linux_part->devices.count = options->devices.count;
    linux_part->sysctl = options->sysctl;
    linux_part->cgroups_path = options->cgroups_path;
    add_annotations(arena, options, config);
    return 0;
}

void oci_config_make_default(struct arena *arena, struct oci_config *config)
{
    static const char *const args[] = {"sh"};
    static const char *const env[] = {default_path, "TERM=xterm"};
    static const char *const capabilities[] = {"CAP_AUDIT_WRITE", "CAP_KILL",
                                               "CAP_NET_BIND_SERVICE"};
    struct oci_process *process = arena_new(arena, 1, sizeof(*process));
    struct oci_linux *linux_part = arena_new(arena, 1, sizeof(*linux_part));
    struct bundle_options no_options = {0};

    config->oci_version = OCI_VERSION;
    config->process = process;
    process->has_terminal = true;
    copy_strings(arena, args, ARRAY_SIZE(args), &process->args);
    copy_strings(arena, env, ARRAY_SIZE(env), &process->env);
    process->cwd = "/";
    process->capabilities = arena_new(arena, 1, sizeof(*process->capabilities));
    copy_strings(arena, capabilities, ARRAY_SIZE(capabilities), &process->capabilities->bounding);
    process->capabilities->effective = process->capabilities->bounding;
    process->capabilities->permitted = process->capabilities->bounding;
    process->rlimits.items = arena_new(arena, 1, sizeof(struct oci_rlimit));
    process->rlimits.count = 1;
    process->rlimits.items[0] = (struct oci_rlimit){"RLIMIT_NOFILE", 1024, 1024};
    process->no_new_privileges = true;
    config->root = arena_new(arena, 1, sizeof(*config->root));
    config->root->path = "rootfs";
    config->root->is_readonly = true;
    config->hostname = "davit";
    config->linux = linux_part;
    add_mounts(arena, &no_options, config);
    add_namespaces(arena, linux_part, 0);
    copy_strings(arena, masked_paths, ARRAY_SIZE(masked_paths), &linux_part->masked_paths);
    copy_strings(arena, readonly_paths, ARRAY_SIZE(readonly_paths), &linux_part->readonly_paths);
    linux_part->resources = arena_new(arena, 1, sizeof(struct oci_resources));
    set_device_rules(arena, &no_options, linux_part->resources);
}

static void map_one(struct arena *arena, uint32_t host_id, struct oci_id_mapping **items,
                    size_t *count)
{
    *items = arena_new(arena, 1, sizeof(**items));
    **items = (struct oci_id_mapping){.container_id = 0, .host_id = host_id, .size = 1};
    *count = 1;
}

/* Sysfs can be mounted in a network namespace of one's own only; the host's shows through, and the
 * group of terminals is not mapped. */
static void change_mounts(struct arena *arena, struct oci_config *config)
{
    static const char *const sys_options[] = {"rbind", "nosuid", "noexec", "nodev", "ro"};
    size_t kept = 0;

    for (size_t i = 0; i < config->mounts.count; i++) {
        struct oci_mount *mount = &config->mounts.items[i];
        struct string_list options = {0};

        if (strcmp(mount->destination, "/sys/fs/cgroup") == 0)
            continue;
        for (size_t j = 0; j < mount->options.count; j++) {
            if (strncmp(mount->options.items[j], "gid=", 4) != 0)
                string_list_append(arena, &options, mount->options.items[j]);
        }
        mount->options = options;
        if (strcmp(mount->destination, "/sys") == 0) {
            mount->type = "none";
            mount->source = "/sys";
            copy_strings(arena, sys_options, ARRAY_SIZE(sys_options), &mount->options);
        }
        config->mounts.items[kept++] = *mount;
    }
    config->mounts.count = kept;
}

void oci_config_make_rootless(struct arena *arena, struct oci_config *config, uint32_t uid,
                              uint32_t gid)
{
    struct oci_linux *linux_part = config->linux;

    for (size_t i = 0; i < linux_part->namespaces.count; i++) {
        if (linux_part->namespaces.items[i].type == OCI_NAMESPACE_NETWORK)
            linux_part->namespaces.items[i].type = OCI_NAMESPACE_USER;
    }
    map_one(arena, uid, &linux_part->uid_mappings.items, &linux_part->uid_mappings.count);
    map_one(arena, gid, &linux_part->gid_mappings.items, &linux_part->gid_mappings.count);
    linux_part->resources = NULL;
    change_mounts(arena, config);
}
