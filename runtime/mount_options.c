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
};

/* Access times: mount(2) has a bit for each of these words and takes strictatime before noatime
 * before relatime, which is the default, whatever their order. */
enum atime_flag {
    ATIME_STRICT = 1,
    ATIME_NONE = 2,
    ATIME_RELATIVE = 4,
};

static const struct atime_word {
    const char *name;
    unsigned int set;
    unsigned int clear;
} atime_words[] = {
    {"relatime", ATIME_RELATIVE, 0},  {"norelatime", 0, ATIME_RELATIVE},
    {"noatime", ATIME_NONE, 0},       {"atime", 0, ATIME_NONE},
    {"strictatime", ATIME_STRICT, 0}, {"nostrictatime", 0, ATIME_STRICT},
};

/* What the words said so far come to. */
struct atime {
    bool is_set;
    unsigned int flags;
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
static const char *const without_effect[] = {"defaults", "loud",       "silent",
                                             "iversion", "noiversion", "notmpcopyup"};
static const char *const superblock_flags[] = {"async",      "sync", "dirsync", "lazytime",
                                               "nolazytime", "mand", "nomand"};

/* For mount(8) and fstab(5), which keep them from the kernel (mount(8), "FILESYSTEM-INDEPENDENT
 * MOUNT OPTIONS"). Comments of that kind begin with "x-" or "X-". */
static const char *const for_mount_program[] = {"auto",  "noauto", "user",   "nouser", "users",
                                                "owner", "group",  "nofail", "_netdev"};

static bool is_one_of(const char *option, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(option, names[i]) == 0)
            return true;
    }
    return false;
}

static bool parse_atime_word(const char *option, struct atime *atime)
{
    for (size_t i = 0; i < ARRAY_SIZE(atime_words); i++) {
        if (strcmp(option, atime_words[i].name) != 0)
            continue;
        atime->is_set = true;
        atime->flags = (atime->flags & ~atime_words[i].clear) | atime_words[i].set;
        return true;
    }
    return false;
}

static uint64_t atime_attribute(unsigned int flags)
{
    if ((flags & ATIME_STRICT) != 0)
        return MOUNT_ATTR_STRICTATIME;
    return (flags & ATIME_NONE) != 0 ? MOUNT_ATTR_NOATIME : MOUNT_ATTR_RELATIME;
}

/* A change of the access times clears the whole field (mount_setattr(2)). */
static void apply_atime(const struct atime *once, const struct atime *tree,
                        struct mount_options *options)
{
    if (once->is_set) {
        options->set |= atime_attribute(once->flags);
        options->clear |= MOUNT_ATTR__ATIME;
    }
    if (tree->is_set) {
        options->recursive_set |= atime_attribute(tree->flags);
        options->recursive_clear |= MOUNT_ATTR__ATIME;
    }
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
#define OPTION_FILESYSTEM "x-davit.filesystem="
#define OPTION_IDMAP "idmap="
#define OPTION_RIDMAP "ridmap="

static const char *const flags[] = {"bind",           "rbind",        "remount",
                                    "tmpcopyup",      "idmap",        "ridmap",
                                    "x-davit.copyup", OPTION_SUBPATH, OPTION_FILESYSTEM};

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
    } else if (strncmp(option, OPTION_FILESYSTEM, strlen(OPTION_FILESYSTEM)) == 0) {
        options->filesystem = option + strlen(OPTION_FILESYSTEM);
    } else if (strcmp(option, "idmap") == 0) {
        options->idmap = MOUNT_IDMAP;
    } else if (strncmp(option, OPTION_IDMAP, strlen(OPTION_IDMAP)) == 0) {
        options->idmap = MOUNT_IDMAP;
        options->mappings = option + strlen(OPTION_IDMAP);
    } else if (strncmp(option, OPTION_RIDMAP, strlen(OPTION_RIDMAP)) == 0) {
        options->idmap = MOUNT_IDMAP_RECURSIVE;
        options->mappings = option + strlen(OPTION_RIDMAP);
    } else if (strcmp(option, "ridmap") == 0) {
        options->idmap = MOUNT_IDMAP_RECURSIVE;
    } else {
        return is_one_of(option, without_effect, ARRAY_SIZE(without_effect));
    }
    return true;
}

static bool is_for_mount_program(const char *option)
{
    return strncmp(option, "x-", 2) == 0 || strncmp(option, "X-", 2) == 0 ||
           strncmp(option, "comment=", strlen("comment=")) == 0 ||
           is_one_of(option, for_mount_program, ARRAY_SIZE(for_mount_program));
}

/* One option, which stands between two commas. */
struct parser {
    struct arena *arena;
    struct mount_options *options;
    struct atime once;
    struct atime tree;
};

static void parse_option(struct parser *parser, const char *option)
{
    struct mount_options *options = parser->options;

    if (option[0] == '\0' || parse_flag(option, options) || parse_propagation(option, options) ||
        parse_attribute(option, options) || parse_atime_word(option, &parser->once) ||
        (option[0] == 'r' && parse_atime_word(option + 1, &parser->tree)) ||
        is_for_mount_program(option))
        return;
    string_list_append(parser->arena, &options->data, option);
}

/* Whether a label begins behind what was read of an option: "rootcontext=" and its like. */
static bool is_context(const char *option, const char *end)
{
    static const char name[] = "context=";
    size_t length = sizeof(name) - 1;

    return (size_t)(end - option) >= length && memcmp(end - length, name, length) == 0;
}

/* Cuts `options` at its commas, as mount(2) does with the data of a filesystem, but neither at
 * those in the quotes of a label, which are taken off, nor at "\\,", which overlayfs knows. */
static void parse_options(struct parser *parser, const char *options)
{
    char *copy = arena_strdup(parser->arena, options);
    char *option = copy;
    char *end = copy;
    bool is_quoted = false;

    for (; *options != '\0'; options++) {
        if (*options == '"' && (is_quoted || is_context(option, end))) {
            is_quoted = !is_quoted;
        } else if (options[0] == '\\' && options[1] == ',') {
            *end++ = *options++;
            *end++ = *options;
        } else if (*options == ',' && !is_quoted) {
            *end++ = '\0';
            parse_option(parser, option);
            option = end;
        } else {
            *end++ = *options;
        }
    }
    *end = '\0';
    parse_option(parser, option);
}

int mount_options_parse(struct arena *arena, const struct oci_mount *mount,
                        struct mount_options *options, struct error *err)
{
    struct parser parser = {.arena = arena, .options = options};

    *options = (struct mount_options){0};
    options->is_bind = mount->type != NULL && strcmp(mount->type, "bind") == 0;
    for (size_t i = 0; i < mount->options.count; i++) {
        const char *option = mount->options.items[i];

        /* A path may have commas. */
        if (strncmp(option, OPTION_SUBPATH, strlen(OPTION_SUBPATH)) == 0)
            parse_option(&parser, option);
        else
            parse_options(&parser, option);
    }
    apply_atime(&parser.once, &parser.tree, options);
    if (mount->uid_mappings.count > 0 && options->idmap == MOUNT_IDMAP_NONE)
        options->idmap = MOUNT_IDMAP;
    if (options->idmap != MOUNT_IDMAP_NONE && !options->is_bind)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "mount %s: id mappings are for bind mounts only", mount->destination);
    return 0;
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
    append_names(arena, names, for_mount_program, ARRAY_SIZE(for_mount_program));
    for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
        string_list_append(arena, names, attributes[i].name);
        string_list_append(arena, names, arena_printf(arena, "r%s", attributes[i].name));
    }
    for (size_t i = 0; i < ARRAY_SIZE(atime_words); i++) {
        string_list_append(arena, names, atime_words[i].name);
        string_list_append(arena, names, arena_printf(arena, "r%s", atime_words[i].name));
    }
    string_list_sort(names);
}
