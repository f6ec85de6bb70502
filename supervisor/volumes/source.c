/* Volumes that are mounted from elsewhere: see volumes.h and mount(8). The options are those of
 * Docker's local driver. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/size.h"
#include "volumes.h"

#define SIZE_MIN (1 << 20)

static const char *option_of(const struct string_map *options, const char *name)
{
    const char *value = string_map_get(options, name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* The next of the words between commas: its length, and *words behind it. NULL: there is none. */
static const char *next_word(const char **words, size_t *length)
{
    const char *word = *words;

    if (word == NULL || *word == '\0')
        return NULL;
    *length = strcspn(word, ",");
    *words = word + *length + (word[*length] == ',' ? 1 : 0);
    return word;
}

/* Whether `wanted` is one of the words; or begins one, if it ends in "=". */
static bool has_word(const char *words, const char *wanted)
{
    size_t wanted_length = strlen(wanted);
    const char *word;
    size_t length;

    while ((word = next_word(&words, &length)) != NULL) {
        if (strncmp(word, wanted, wanted_length) == 0 &&
            (wanted[wanted_length - 1] == '=' || length == wanted_length))
            return true;
    }
    return false;
}

static bool is_bind(const struct string_map *options)
{
    const char *type = option_of(options, "type");
    const char *words = option_of(options, "o");

    return type != NULL &&
           (strcmp(type, "bind") == 0 || has_word(words, "bind") || has_word(words, "rbind"));
}

static bool is_memory(const struct string_map *options)
{
    const char *type = option_of(options, "type");

    return type != NULL && strcmp(type, "tmpfs") == 0;
}

/* Filesystems of disks and servers. Others are the kernel's own, which a container would see the
 * host through, or need a program of theirs. */
static bool is_supported(const char *type)
{
    static const char *const types[] = {
        "none",     "bind",     "tmpfs", "ext2",  "ext3",     "ext4",  "xfs",      "btrfs",
        "f2fs",     "vfat",     "exfat", "ntfs3", "iso9660",  "udf",   "squashfs", "erofs",
        "zfs",      "bcachefs", "nfs",   "nfs4",  "cifs",     "smb3",  "ceph",     "9p",
        "virtiofs", "ocfs2",    "gfs2",  "afs",   "orangefs", "lustre"};

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (strcmp(types[i], type) == 0)
            return true;
    }
    return false;
}

static int check_type(const char *type, struct error *err)
{
    if (is_supported(type))
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                     "DriverOpts.type: \"%.32s\" is not a filesystem of a disk or a server that is "
                     "known here, such as nfs, cifs or ext4; a path of the host is bound by type "
                     "none and bind in o",
                     type);
}

/* "host:/path" says where the server is; ":/path" leaves that to addr. The kernel takes addresses
 * alone. */
static int check_network(const struct string_map *options, struct error *err)
{
    const char *type = option_of(options, "type");
    const char *device = option_of(options, "device");

    if (strncmp(type, "nfs", 3) == 0 && strstr(device, ":/") == NULL)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "DriverOpts.device: \"%.64s\": ADDRESS:/PATH is expected, or :/PATH with "
                         "addr=ADDRESS in o",
                         device);
    if (strncmp(type, "nfs", 3) == 0 && device[0] == ':' &&
        !has_word(option_of(options, "o"), "addr="))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "DriverOpts.o: addr=ADDRESS is missing, the server that has %.64s",
                         device);
    return 0;
}

/* Words that the runtime takes for itself. */
static bool has_own_word(const char *words)
{
    static const char *const own[] = {"idmap",   "idmap=",  "ridmap",
                                      "ridmap=", "remount", "tmpcopyup"};

    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        if (has_word(words, own[i]))
            return true;
    }
    return words != NULL && strstr(words, "x-davit.") != NULL;
}

static int check_mount(const struct string_map *options, struct error *err)
{
    const char *type = option_of(options, "type");
    const char *device = option_of(options, "device");
    int result;

    if (type == NULL || device == NULL)
        return error_set(err, ERROR_INVALID, EINVAL, "DriverOpts: missing required option: \"%s\"",
                         type == NULL ? "type" : "device");
    result = check_type(type, err);
    if (result < 0)
        return result;
    if (has_own_word(option_of(options, "o")))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "DriverOpts.o: x-davit, idmap, ridmap, remount and tmpcopyup are not for "
                         "volumes");
    if (is_bind(options) && device[0] != '/')
        return error_set(err, ERROR_INVALID, EINVAL,
                         "DriverOpts.device: \"%.128s\": an absolute path is expected", device);
    if (strcmp(type, "none") == 0 && !is_bind(options))
        return error_set(err, ERROR_INVALID, EINVAL, "DriverOpts.type: none needs \"bind\" in o");
    return is_bind(options) ? 0 : check_network(options, err);
}

int volume_check_options(const struct string_map *options, int64_t *size, struct error *err)
{
    bool is_mounted = false;

    *size = 0;
    for (size_t i = 0; i < options->count; i++) {
        const struct string_pair *option = &options->items[i];

        if (strcmp(option->name, "type") == 0 || strcmp(option->name, "device") == 0 ||
            strcmp(option->name, "o") == 0)
            is_mounted = true;
        else if (strcmp(option->name, "size") != 0)
            return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                             "DriverOpts.%.64s: type, device, o and size are known", option->name);
        else if (size_parse(option->value, size) < 0 || *size < SIZE_MIN)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "DriverOpts.size: \"%.32s\" is not a size of 1m and more",
                             option->value);
    }
    if (is_mounted && *size != 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "DriverOpts.size is for volumes that are directories of davitd's; a "
                         "tmpfs has size=SIZE in o");
    return is_mounted ? check_mount(options, err) : 0;
}

/* Of a tmpfs, words with a value are the filesystem's own, and others mount(8)'s. */
static bool is_for_memory(const char *word, size_t length)
{
    return memchr(word, '=', length) != NULL;
}

static void add_words(struct arena *arena, const struct string_map *options,
                      struct volume_source *source)
{
    const char *words = option_of(options, "o");
    const char *word;
    size_t length;

    while ((word = next_word(&words, &length)) != NULL) {
        if (length > 0 && !(is_memory(options) && is_for_memory(word, length)))
            string_list_append(arena, &source->options, arena_strndup(arena, word, length));
    }
}

/* The server's address, which mount.nfs(8) would have added. */
static void add_address(struct arena *arena, const struct string_map *options,
                        struct volume_source *source)
{
    const char *device = source->path;
    const char *path = strstr(device, ":/");

    if (strncmp(source->filesystem, "nfs", 3) != 0 || path == NULL || path == device ||
        has_word(option_of(options, "o"), "addr="))
        return;
    string_list_append(arena, &source->options,
                       arena_printf(arena, "addr=%.*s", (int)(path - device), device));
}

void volume_get_source(struct arena *arena, const struct volume *volume,
                       struct volume_source *source)
{
    *source = (struct volume_source){0};
    if (option_of(&volume->options, "type") == NULL)
        return;
    add_words(arena, &volume->options, source);
    source->is_memory = is_memory(&volume->options);
    if (source->is_memory)
        return;
    source->path = arena_strdup(arena, option_of(&volume->options, "device"));
    if (is_bind(&volume->options))
        return;
    source->filesystem = arena_strdup(arena, option_of(&volume->options, "type"));
    add_address(arena, &volume->options, source);
}

static int open_data(const struct volumes *volumes, const char *directory)
{
    cleanup_free char *path = memory_printf("%s/" VOLUME_DATA, directory);

    return openat(volumes->places->volumes_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool is_mounted(int fd)
{
    struct statx status;

    return statx(fd, "", AT_EMPTY_PATH, 0, &status) == 0 &&
           (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

int volume_mount_memory(const struct volumes *volumes, const struct volume *volume,
                        struct error *err)
{
    cleanup_arena struct arena arena = {0};
    cleanup_buffer struct buffer data = {0};
    cleanup_close int data_fd = -1;
    const char *words = option_of(&volume->options, "o");
    char path[PATH_FD_SIZE];
    const char *word;
    size_t length;

    if (!is_memory(&volume->options))
        return 0;
    data_fd = open_data(volumes, definition_volume_directory(&arena, volume->tenant, volume->name));
    if (data_fd < 0)
        return error_errno(err, errno, "volume %s", volume->name);
    if (is_mounted(data_fd))
        return 0;
    while ((word = next_word(&words, &length)) != NULL) {
        if (is_for_memory(word, length))
            buffer_printf(&data, "%s%.*s", data.length > 0 ? "," : "", (int)length, word);
    }
    if (mount("tmpfs", path_of_fd(path, data_fd), "tmpfs", MS_NOSUID | MS_NODEV,
              buffer_text(&data)) < 0)
        return error_errno(err, errno, "volume %s: tmpfs with \"%s\"", volume->name,
                           buffer_text(&data));
    return 0;
}

void volume_unmount_memory(const struct volumes *volumes, const char *directory)
{
    cleanup_close int data_fd = open_data(volumes, directory);
    char path[PATH_FD_SIZE];

    if (data_fd >= 0 && is_mounted(data_fd))
        umount2(path_of_fd(path, data_fd), MNT_DETACH);
}
