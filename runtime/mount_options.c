/* Mount options: runtime-spec config.md, "Linux mount options"; mount_setattr(2). */
#include "mount_options.h"

#include <errno.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* From sys/mount.h, which cannot be included beside linux/mount.h in glibc 2.36. */
#define PROPAGATION_UNBINDABLE (1 << 17)
#define PROPAGATION_PRIVATE (1 << 18)
#define PROPAGATION_SLAVE (1 << 19)
#define PROPAGATION_SHARED (1 << 20)

struct attribute {
    const char *name;
    uint64_t set;
    uint64_t clear;
};

/* Each also exists with an "r" in front, for the whole tree. */
static const struct attribute attributes[] = {
    {"ro", MOUNT_ATTR_RDONLY, 0},
    {"rw", 0, MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID, 0},
    {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV, 0},
    {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0},
    {"exec", 0, MOUNT_ATTR_NOEXEC},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", 0, MOUNT_ATTR_NODIRATIME},
    {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW},
    /* The access time modes exclude each other: a change clears the whole field. */
    {"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"norelatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    {"atime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"nostrictatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
};

static const struct {
    const char *name;
    uint64_t propagation;
    bool is_recursive;
} propagations[] = {
    {"private", PROPAGATION_PRIVATE, false},       {"rprivate", PROPAGATION_PRIVATE, true},
    {"slave", PROPAGATION_SLAVE, false},           {"rslave", PROPAGATION_SLAVE, true},
    {"shared", PROPAGATION_SHARED, false},         {"rshared", PROPAGATION_SHARED, true},
    {"unbindable", PROPAGATION_UNBINDABLE, false}, {"runbindable", PROPAGATION_UNBINDABLE, true},
};

/* Superblock flags go to the filesystem as options of the same name; on a bind mount they cannot
 * change anything, and runc accepts them there. These have no effect at all in the mount API; the
 * inode version is each filesystem's own affair in it. */
static const char *const without_effect[] = {"defaults", "loud", "silent", "iversion",
                                             "noiversion"};
static const char *const superblock_flags[] = {"async",      "sync", "dirsync", "lazytime",
                                               "nolazytime", "mand", "nomand"};

static bool is_one_of(const char *option, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(option, names[i]) == 0)
            return true;
    }
    return false;
}

static bool parse_attribute(const char *option, struct mount_options *options)
{
    for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
        const struct attribute *attribute = &attributes[i];

        if (strcmp(option, attribute->name) == 0) {
            options->set = (options->set & ~attribute->clear) | attribute->set;
            options->clear = (options->clear & ~attribute->set) | attribute->clear;
            return true;
        }
        if (option[0] == 'r' && strcmp(option + 1, attribute->name) == 0) {
            options->recursive_set = (options->recursive_set & ~attribute->clear) | attribute->set;
            options->recursive_clear =
                (options->recursive_clear & ~attribute->set) | attribute->clear;
            return true;
        }
    }
    return false;
}

static bool parse_propagation(const char *option, struct mount_options *options)
{
    for (size_t i = 0; i < ARRAY_SIZE(propagations); i++) {
        if (strcmp(option, propagations[i].name) == 0) {
            options->propagation = propagations[i].propagation;
            options->is_propagation_recursive = propagations[i].is_recursive;
            return true;
        }
    }
    return false;
}

#define OPTION_SUBPATH "x-davit.subpath="

static const char *const flags[] = {"bind",  "rbind",  "remount",        "tmpcopyup",
                                    "idmap", "ridmap", "x-davit.copyup", OPTION_SUBPATH};

static bool parse_flag(const char *option, struct mount_options *options)
{
    if (strcmp(option, "bind") == 0) {
        options->is_bind = true;
    } else if (strcmp(option, "rbind") == 0) {
        options->is_bind = true;
        options->is_recursive_bind = true;
    } else if (strcmp(option, "remount") == 0) {
        options->is_remount = true;
    } else if (strcmp(option, "tmpcopyup") == 0 || strcmp(option, "x-davit.copyup") == 0) {
        options->has_copy_up = true;
    } else if (strncmp(option, OPTION_SUBPATH, strlen(OPTION_SUBPATH)) == 0) {
        options->subpath = option + strlen(OPTION_SUBPATH);
    } else if (strcmp(option, "idmap") == 0) {
        options->idmap = MOUNT_IDMAP;
    } else if (strcmp(option, "ridmap") == 0) {
        options->idmap = MOUNT_IDMAP_RECURSIVE;
    } else {
        return is_one_of(option, without_effect, ARRAY_SIZE(without_effect));
    }
    return true;
}

int mount_options_parse(struct arena *arena, const struct oci_mount *mount,
                        struct mount_options *options, struct error *err)
{
    *options = (struct mount_options){0};
    options->is_bind = mount->type != NULL && strcmp(mount->type, "bind") == 0;
    options->data.items = arena_new(arena, mount->options.count, sizeof(char *));
    for (size_t i = 0; i < mount->options.count; i++) {
        const char *option = mount->options.items[i];

        if (option[0] != '\0' && !parse_flag(option, options) &&
            !parse_propagation(option, options) && !parse_attribute(option, options))
            options->data.items[options->data.count++] = option;
    }
    if (mount->uid_mappings.count > 0 && options->idmap == MOUNT_IDMAP_NONE)
        options->idmap = MOUNT_IDMAP;
    for (size_t i = 0; options->is_bind && i < options->data.count; i++) {
        const char *option = options->data.items[i];

        if (!is_one_of(option, superblock_flags, ARRAY_SIZE(superblock_flags)))
            return error_set(err, ERROR_INVALID, EINVAL,
                             "mount %s: unknown option \"%.64s\" for a bind mount",
                             mount->destination, option);
    }
    if (options->idmap != MOUNT_IDMAP_NONE && !options->is_bind)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "mount %s: id mappings are for bind mounts only", mount->destination);
    return 0;
}

static int compare_names(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

static void append_names(struct arena *arena, struct string_list *names, const char *const *from,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        string_list_append(arena, names, from[i]);
}

void mount_options_list(struct arena *arena, struct string_list *names)
{
    append_names(arena, names, without_effect, ARRAY_SIZE(without_effect));
    append_names(arena, names, superblock_flags, ARRAY_SIZE(superblock_flags));
    append_names(arena, names, flags, ARRAY_SIZE(flags));
    for (size_t i = 0; i < ARRAY_SIZE(propagations); i++)
        string_list_append(arena, names, propagations[i].name);
    for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
        string_list_append(arena, names, attributes[i].name);
        string_list_append(arena, names, arena_printf(arena, "r%s", attributes[i].name));
    }
    qsort(names->items, names->count, sizeof(*names->items), compare_names);
}
