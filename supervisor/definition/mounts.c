/* What is mounted into a container: Docker's several ways to say so become mount points, and those
 * the mounts of a runtime configuration. See definition.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/identifier.h"
#include "base/path.h"
#include "definition.h"

int volume_check_name(const char *name, struct error *err)
{
    if (name_is_valid(name, VOLUME_NAME_MAX))
        return 0;
    return error_set(err, ERROR_INVALID, EINVAL,
                     "\"%.64s\" includes invalid characters for a local volume name, only "
                     "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host "
                     "directory, use absolute path",
                     name);
}

static int check_target(const char *target, struct error *err)
{
    if (target == NULL || target[0] != '/' || strspn(target, "/") == strlen(target))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "invalid mount path: \"%.128s\" must be absolute and not \"/\"",
                         target != NULL ? target : "");
    return 0;
}

/* "/data/" is "/data". */
static const char *clean_target(struct arena *arena, const char *target)
{
    size_t length = strlen(target);

    while (length > 1 && target[length - 1] == '/')
        length--;
    return arena_strndup(arena, target, length);
}

static bool is_taken(const struct definition *definition, const char *destination)
{
    for (size_t i = 0; i < definition->mount_points.count; i++) {
        if (strcmp(definition->mount_points.items[i].destination, destination) == 0)
            return true;
    }
    return false;
}

bool definition_add_mount(struct arena *arena, struct definition *definition,
                          const struct mount_point *mount)
{
    if (is_taken(definition, mount->destination))
        return false;
    definition->mount_points.items = arena_grow(arena, definition->mount_points.items,
                                                definition->mount_points.count, sizeof(*mount));
    definition->mount_points.items[definition->mount_points.count++] = *mount;
    return true;
}

static int add(struct arena *arena, struct definition *definition, const struct mount_point *mount,
               struct error *err)
{
    if (definition_add_mount(arena, definition, mount))
        return 0;
    return error_set(err, ERROR_INVALID, EINVAL, "Duplicate mount point: %.128s",
                     mount->destination);
}

static const char *find_propagation(const char *word)
{
    static const char *const propagations[] = {"shared", "rshared", "slave",
                                               "rslave", "private", "rprivate"};

    for (size_t i = 0; i < ARRAY_SIZE(propagations); i++) {
        if (strcmp(word, propagations[i]) == 0)
            return propagations[i];
    }
    return NULL;
}

/* A word of "SOURCE:TARGET:MODE". */
static int read_mode(const char *word, struct mount_point *mount, struct error *err)
{
    /* "rw" is the default; the next three are hints for Docker Desktop. */
    static const char *const ignored[] = {"rw", "cached", "delegated", "consistent", ""};
    bool is_volume = strcmp(mount->type, "volume") == 0;

    if (!is_volume && find_propagation(word) != NULL) {
        mount->propagation = find_propagation(word);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(ignored); i++) {
        if (strcmp(word, ignored[i]) == 0)
            return 0;
    }
    if (strcmp(word, "ro") == 0) {
        mount->is_readonly = true;
        return 0;
    }
    if (strcmp(word, "nocopy") == 0 && is_volume) {
        mount->has_no_copy = true;
        return 0;
    }
    if (strcmp(word, "z") == 0 || strcmp(word, "Z") == 0) {
        mount->is_labelled = true;
        mount->is_labelled_alone = word[0] == 'Z';
        return 0;
    }
    return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                     "HostConfig.Binds: mode \"%.32s\" is not supported", word);
}

/* "SOURCE:TARGET[:MODE]": a path is bound, a name is a volume's. */
static int read_bind(struct arena *arena, struct definition *definition, const char *bind,
                     struct error *err)
{
    char *source = arena_strdup(arena, bind);
    char *target = strchr(source, ':');
    char *mode = target != NULL ? strchr(target + 1, ':') : NULL;
    struct mount_point mount = {.mode = ""};
    int result;

    if (target == NULL || target == source)
        return error_set(err, ERROR_INVALID, EINVAL, "invalid volume specification: '%.128s'",
                         bind);
    *target++ = '\0';
    if (mode != NULL)
        *mode++ = '\0';
    if (source[0] == '/') {
        mount.type = "bind";
        mount.source = source;
        mount.makes_source = true;
    } else {
        mount.type = "volume";
        mount.name = source;
    }
    result = source[0] == '/' ? 0 : volume_check_name(source, err);
    if (result == 0)
        result = check_target(target, err);
    if (result < 0)
        return result;
    mount.destination = clean_target(arena, target);
    mount.mode = mode != NULL ? arena_strdup(arena, mode) : "";
    for (char *word = strsep(&mode, ","); result == 0 && word != NULL; word = strsep(&mode, ","))
        result = read_mode(word, &mount, err);
    return result < 0 ? result : add(arena, definition, &mount, err);
}

static int read_bind_mount(const struct docker_mount *from, struct mount_point *mount,
                           struct error *err)
{
    if (from->source == NULL || from->source[0] != '/')
        return error_set(err, ERROR_INVALID, EINVAL, "Source: must be an absolute path");
    mount->source = from->source;
    mount->makes_source = from->bind != NULL && from->bind->makes_source;
    if (!mount->makes_source && access(from->source, F_OK) < 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "invalid mount config for type \"bind\": bind source path does not "
                         "exist: %.256s",
                         from->source);
    if (from->bind == NULL)
        return 0;
    mount->is_not_recursive = from->bind->is_not_recursive;
    mount->propagation = from->bind->propagation;
    if (mount->propagation != NULL && mount->propagation[0] != '\0' &&
        find_propagation(mount->propagation) == NULL)
        return error_set(err, ERROR_INVALID, EINVAL, "BindOptions.Propagation: \"%.32s\" is none",
                         mount->propagation);
    return 0;
}

static int read_volume_mount(const struct docker_mount *from, struct mount_point *mount,
                             struct error *err)
{
    mount->name = from->source != NULL ? from->source : "";
    mount->is_anonymous = mount->name[0] == '\0';
    mount->volume = from->volume;
    if (from->volume != NULL) {
        mount->has_no_copy = from->volume->has_no_copy;
        mount->subpath = from->volume->subpath;
    }
    if (mount->subpath != NULL && mount->subpath[0] == '/')
        return error_set(err, ERROR_INVALID, EINVAL,
                         "VolumeOptions.Subpath: \"%.128s\" must be relative", mount->subpath);
    return mount->is_anonymous ? 0 : volume_check_name(mount->name, err);
}

static void read_tmpfs_mount(struct arena *arena, const struct docker_mount *from,
                             struct mount_point *mount)
{
    const struct docker_tmpfs_options *tmpfs = from->tmpfs;
    unsigned int mode = tmpfs != NULL && tmpfs->mode != 0 ? tmpfs->mode : 01777u;

    if (tmpfs != NULL && tmpfs->size_bytes > 0)
        string_list_append(arena, &mount->options,
                           arena_printf(arena, "size=%lld", (long long)tmpfs->size_bytes));
    string_list_append(arena, &mount->options, arena_printf(arena, "mode=%o", mode));
}

/* Refuses options for another type of mount: they would have no effect. */
static int check_options(const struct docker_mount *from, struct error *err)
{
    const struct docker_volume_options *volume = from->volume;
    const struct docker_bind_options *bind = from->bind;
    const char *wrong = NULL;

    if (volume != NULL && strcmp(from->type, "volume") != 0 &&
        (volume->has_no_copy || volume->labels.count > 0 || volume->driver.name != NULL ||
         volume->subpath != NULL))
        wrong = "VolumeOptions";
    else if (bind != NULL && strcmp(from->type, "bind") != 0 &&
             (bind->propagation != NULL || bind->is_not_recursive || bind->makes_source))
        wrong = "BindOptions";
    else if (from->tmpfs != NULL && strcmp(from->type, "tmpfs") != 0 &&
             (from->tmpfs->size_bytes != 0 || from->tmpfs->mode != 0))
        wrong = "TmpfsOptions";
    if (wrong == NULL)
        return 0;
    return error_set(err, ERROR_INVALID, EINVAL, "%s: not for a mount of type %s", wrong,
                     from->type);
}

static int read_mount(struct arena *arena, struct definition *definition,
                      const struct docker_mount *from, struct error *err)
{
    struct mount_point mount = {.mode = "", .is_readonly = from->is_readonly};
    int result = check_target(from->target, err);

    if (result < 0)
        return result;
    mount.destination = clean_target(arena, from->target);
    mount.type = from->type;
    if (check_options(from, err) < 0)
        return -err->errnum;
    if (strcmp(from->type, "bind") == 0)
        result = read_bind_mount(from, &mount, err);
    else if (strcmp(from->type, "volume") == 0)
        result = read_volume_mount(from, &mount, err);
    else if (strcmp(from->type, "tmpfs") == 0)
        read_tmpfs_mount(arena, from, &mount);
    else
        result = error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                           "Type: \"%.32s\" is not supported by this version of davit", from->type);
    return result < 0 ? result : add(arena, definition, &mount, err);
}

/* {"/run": "rw,noexec,size=64k"} */
static int read_tmpfs(struct arena *arena, struct definition *definition,
                      const struct string_pair *pair, struct error *err)
{
    struct mount_point mount = {.type = "tmpfs", .mode = ""};
    char *rest = arena_strdup(arena, pair->value);

    if (check_target(pair->name, err) < 0)
        return error_prefix(err, "HostConfig.Tmpfs");
    mount.destination = clean_target(arena, pair->name);
    for (char *option = strsep(&rest, ","); option != NULL; option = strsep(&rest, ",")) {
        if (option[0] != '\0')
            string_list_append(arena, &mount.options, option);
    }
    return add(arena, definition, &mount, err);
}

int definition_read_mounts(struct arena *arena, struct definition *definition, struct error *err)
{
    const struct docker_host_config *host = &definition->host_config;
    int result = 0;

    for (size_t i = 0; result == 0 && i < host->mounts.count; i++) {
        result = read_mount(arena, definition, &host->mounts.items[i], err);
        if (result < 0)
            error_prefix(err, "HostConfig.Mounts[%zu]", i);
    }
    for (size_t i = 0; result == 0 && i < host->tmpfs.count; i++)
        result = read_tmpfs(arena, definition, &host->tmpfs.items[i], err);
    for (size_t i = 0; result == 0 && i < host->binds.count; i++)
        result = read_bind(arena, definition, host->binds.items[i], err);
    return result;
}

int definition_add_volumes(struct arena *arena, struct definition *definition,
                           const struct json *volumes, struct error *err)
{
    for (size_t i = 0; volumes != NULL && volumes->type == JSON_OBJECT && i < volumes->count; i++) {
        struct mount_point mount = {.type = "volume", .name = "", .mode = "", .is_anonymous = true};

        if (check_target(volumes->members[i].name, err) < 0)
            return error_prefix(err, "Volumes");
        mount.destination = clean_target(arena, volumes->members[i].name);
        definition_add_mount(arena, definition, &mount);
    }
    return 0;
}

static void append_mount(struct arena *arena, struct bundle_options *options,
                         const struct oci_mount *mount)
{
    options->mounts.items =
        arena_grow(arena, options->mounts.items, options->mounts.count, sizeof(*mount));
    options->mounts.items[options->mounts.count++] = *mount;
}

/* With the host's network, or one that the host has made, a container needs the host's names. */
static void add_host_names(struct arena *arena, struct bundle_options *options)
{
    static const char *const files[] = {"/etc/resolv.conf", "/etc/hosts"};

    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct oci_mount mount = {.destination = files[i], .type = "bind", .source = files[i]};

        if (access(files[i], R_OK) < 0)
            continue;
        string_list_append(arena, &mount.options, "bind");
        string_list_append(arena, &mount.options, "ro");
        append_mount(arena, options, &mount);
    }
}

/* Mounts the files that davitd writes, from the container's own directory or from that of the
 * container whose network it joins. Relative sources begin at its own directory. */
static void add_own_names(struct arena *arena, const struct definition *definition,
                          struct bundle_options *options)
{
    static const char *const files[][2] = {{"/etc/hosts", "hosts"},
                                           {"/etc/resolv.conf", "resolv.conf"},
                                           {"/etc/hostname", "hostname"}};

    /* Definitions of an early davit do not name the directory. */
    const char *directory = definition->names_directory != NULL ? definition->names_directory : ".";

    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct oci_mount mount = {.destination = files[i][0],
                                  .type = "bind",
                                  .source = arena_printf(arena, "%s/%s", directory, files[i][1])};

        if (is_taken(definition, files[i][0]))
            continue;
        string_list_append(arena, &mount.options, "bind");
        if (options->id_range_first != 0)
            string_list_append(arena, &mount.options, "idmap");
        if (options->mount_label != NULL)
            string_list_append(arena, &mount.options, "z");
        append_mount(arena, options, &mount);
    }
}

static void make_tmpfs(struct arena *arena, const struct mount_point *from, struct oci_mount *mount)
{
    static const char *const always[] = {"nosuid", "nodev", "noexec"};

    mount->type = mount->source = "tmpfs";
    for (size_t i = 0; i < ARRAY_SIZE(always); i++)
        string_list_append(arena, &mount->options, always[i]);
    if (from->is_readonly)
        string_list_append(arena, &mount->options, "ro");
    for (size_t i = 0; i < from->options.count; i++)
        string_list_append(arena, &mount->options, from->options.items[i]);
}

const char *definition_volume_directory(struct arena *arena, const char *tenant, const char *name)
{
    return tenant != NULL && tenant[0] != '\0' ? arena_printf(arena, "%s@%s", tenant, name) : name;
}

static void take_source(struct arena *arena, const struct volume_source *source,
                        struct oci_mount *mount)
{
    if (source->path != NULL)
        mount->source = source->path;
    if (source->filesystem != NULL)
        string_list_append(arena, &mount->options,
                           arena_printf(arena, "x-davit.filesystem=%s", source->filesystem));
    for (size_t i = 0; i < source->options.count; i++)
        string_list_append(arena, &mount->options, source->options.items[i]);
}

static void make_bind(struct arena *arena, const struct definition *definition,
                      const struct mount_point *from, const struct definition_places *places,
                      const struct volume_source *other, const struct bundle_options *options,
                      struct oci_mount *mount)
{
    bool is_mapped = options->id_range_first != 0;
    bool has_label = options->mount_label != NULL;
    bool is_volume = strcmp(from->type, "volume") == 0;

    mount->type = "bind";
    mount->source =
        is_volume ? arena_printf(arena, "%s/%s/" VOLUME_DATA, places->volumes,
                                 definition_volume_directory(arena, definition->tenant, from->name))
                  : from->source;
    string_list_append(arena, &mount->options, from->is_not_recursive ? "bind" : "rbind");
    if (other != NULL)
        take_source(arena, other, mount);
    if (from->is_readonly)
        string_list_append(arena, &mount->options, "rro");
    if (from->propagation != NULL && from->propagation[0] != '\0')
        string_list_append(arena, &mount->options, from->propagation);
    /* What comes from the host has the ids inside that it has outside. */
    if (is_mapped)
        string_list_append(arena, &mount->options, from->is_not_recursive ? "idmap" : "ridmap");
    if (has_label && (is_volume || from->is_labelled))
        string_list_append(arena, &mount->options, from->is_labelled_alone ? "Z" : "z");
    if (from->subpath != NULL && from->subpath[0] != '\0')
        string_list_append(arena, &mount->options,
                           arena_printf(arena, "x-davit.subpath=%s", from->subpath));
    else if (is_volume && !from->has_no_copy)
        string_list_append(arena, &mount->options, "x-davit.copyup");
}

void definition_make_mounts(struct arena *arena, const struct definition *definition,
                            const struct definition_places *places, struct bundle_options *options)
{
    if (definition->names_directory != NULL || definition->endpoints.count > 0)
        add_own_names(arena, definition, options);
    else if ((options->host_namespaces & 1u << OCI_NAMESPACE_NETWORK) != 0 ||
             mode_path(definition->host_config.network_mode) != NULL)
        add_host_names(arena, options);
    for (size_t i = 0; i < definition->mount_points.count; i++) {
        const struct mount_point *from = &definition->mount_points.items[i];
        struct oci_mount mount = {.destination = from->destination};

        if (strcmp(from->type, "tmpfs") == 0)
            make_tmpfs(arena, from, &mount);
        else
            make_bind(arena, definition, from, places,
                      places->sources != NULL ? &places->sources[i] : NULL, options, &mount);
        append_mount(arena, options, &mount);
    }
}

int definition_make_bind_sources(const struct definition *definition, struct error *err)
{
    for (size_t i = 0; i < definition->mount_points.count; i++) {
        const struct mount_point *mount = &definition->mount_points.items[i];
        int fd;

        if (!mount->makes_source || access(mount->source, F_OK) == 0)
            continue;
        fd = path_make_host_directory(mount->source, 0755, err);
        if (fd < 0)
            return error_prefix(err, "bind source");
        close(fd);
    }
    return 0;
}
