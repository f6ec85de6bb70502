/*
 * A layer's tar onto disk (image-spec layer.md), by descriptors below the layer's directory.
 * libarchive only parses; what is written where is decided here. A name may contain no "..", and a
 * parent that is a symbolic link is followed inside the directory only.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "extract.h"

static int write_data(struct extraction *extraction, int fd, int64_t size)
{
    const void *bytes;
    size_t length;
    la_int64_t offset;
    int code;

    while ((code = archive_read_data_block(extraction->archive, &bytes, &length, &offset)) ==
           ARCHIVE_OK) {
        const char *position = bytes;

        extraction->bytes += length;
        if (extraction->bytes > extraction->limits->layer_bytes)
            return error_set(extraction->err, ERROR_TOO_LARGE, EFBIG,
                             "the layer unpacks to more than %llu bytes",
                             (unsigned long long)extraction->limits->layer_bytes);
        while (length > 0) {
            ssize_t count = pwrite(fd, position, length, offset);

            if (count < 0)
                return extract_fail(extraction, "write");
            position += count;
            offset += count;
            length -= (size_t)count;
        }
    }
    if (code != ARCHIVE_EOF)
        return tar_error(extraction->archive, extraction->err);
    /* A sparse file may end in a hole. */
    return ftruncate(fd, size) < 0 ? extract_fail(extraction, "size") : 0;
}

/* Returns a descriptor of the file, as make_directory(), make_link() and make_node() do. */
static int make_file(struct extraction *extraction, struct archive_entry *entry, const char *name)
{
    cleanup_close int fd = openat(extraction->parent_fd, name,
                                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int result;

    if (fd < 0)
        return extract_fail(extraction, "create");
    result = write_data(extraction, fd, archive_entry_size(entry));
    return result < 0 ? result : take_fd(&fd);
}

/* Opens what was just made under that name. Fails if it is of another kind: then a process of the
 * container has replaced it. */
static int open_made(struct extraction *extraction, const char *name, mode_t type, int flags)
{
    cleanup_close int fd = openat(extraction->parent_fd, name, flags | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return extract_fail(extraction, "open what was made");
    if ((status.st_mode & S_IFMT) != type)
        return error_set(extraction->err, ERROR_CONFLICT, EBUSY,
                         "somebody else has put something there meanwhile");
    return take_fd(&fd);
}

static int make_directory(struct extraction *extraction, struct archive_entry *entry,
                          const char *path, const char *name)
{
    struct directory_time *time;

    if (mkdirat(extraction->parent_fd, name, 0700) < 0 && errno != EEXIST)
        return extract_fail(extraction, "make directory");
    extract_forget_implicit(extraction, path);
    extraction->directories = memory_resize(
        extraction->directories, extraction->directory_count + 1, sizeof(*extraction->directories));
    time = &extraction->directories[extraction->directory_count++];
    time->path = memory_strdup(path);
    extract_entry_times(entry, time->times);
    return open_made(extraction, name, S_IFDIR, O_RDONLY | O_DIRECTORY);
}

static int make_link(struct extraction *extraction, struct archive_entry *entry, const char *name)
{
    const char *target = archive_entry_symlink(entry);

    if (target == NULL || target[0] == '\0')
        return error_set(extraction->err, ERROR_CORRUPT, EINVAL,
                         "the symbolic link %.200s leads nowhere", name);
    if (symlinkat(target, extraction->parent_fd, name) < 0)
        return extract_fail(extraction, "make a symbolic link");
    return open_made(extraction, name, S_IFLNK, O_PATH);
}

/* The target is an earlier entry of this layer; resolved inside, never through a final link. */
static int make_hardlink(struct extraction *extraction, const char *target, const char *name)
{
    char clean[PATH_MAX];
    char storage[PATH_MAX];
    const char *directory;
    const char *target_name;
    cleanup_close int target_fd = -1;
    int result = extract_place_name(extraction, target, clean);

    if (result < 0)
        return result;
    path_split(clean, storage, &directory, &target_name);
    target_fd = path_open_in_root(extraction->root_fd, directory, O_PATH | O_DIRECTORY, 0);
    if (target_fd < 0)
        return error_errno(extraction->err, -target_fd, "hard link to %.200s", target);
    if (linkat(target_fd, target_name, extraction->parent_fd, name, 0) < 0)
        return error_errno(extraction->err, errno, "hard link to %.200s", target);
    return 0;
}

static int make_whiteout(struct extraction *extraction, const char *name)
{
    if (strcmp(name, OPAQUE_MARKER) == 0) {
        if (fchdir(extraction->parent_fd) < 0 ||
            setxattr(".", "trusted.overlay.opaque", "y", 1, 0) < 0)
            return extract_fail(extraction, "mark the directory opaque");
        return 0;
    }
    name += strlen(WHITEOUT_PREFIX);
    /* ".wh..wh.plnk" and the like are aufs's own; ".wh..." would name a parent. */
    if (strncmp(name, WHITEOUT_PREFIX, strlen(WHITEOUT_PREFIX)) == 0)
        return 0;
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return error_set(extraction->err, ERROR_CORRUPT, EINVAL, "a whiteout without a name");
    /* A whiteout hides lower layers only: what this layer itself has stays. */
    if (mknodat(extraction->parent_fd, name, S_IFCHR, makedev(0, 0)) < 0 && errno != EEXIST)
        return extract_fail(extraction, "make a whiteout");
    return 0;
}

/* Tools that compare trees write whiteouts also for what lay below a directory that this layer
 * replaces by something else. Followed through a link, they would hide what has nothing to do with
 * them. */
static bool hides_nothing(struct extraction *extraction, const char *directory)
{
    int fd = path_open_beneath(extraction->root_fd, directory[0] != '\0' ? directory : ".",
                               O_PATH | O_DIRECTORY, 0);

    if (fd >= 0)
        close(fd);
    return fd == -ENOTDIR || fd == -ELOOP;
}

static int make_node(struct extraction *extraction, struct archive_entry *entry, const char *name)
{
    mode_t type = archive_entry_filetype(entry);
    dev_t device = type == AE_IFIFO ? 0
                                    : makedev((unsigned int)archive_entry_rdevmajor(entry),
                                              (unsigned int)archive_entry_rdevminor(entry));

    /* A character device 0:0 is overlayfs's whiteout; layers say that by name. */
    if (type == AE_IFCHR && device == 0)
        return error_set(extraction->err, ERROR_CORRUPT, EINVAL, "character device 0:0");
    if (mknodat(extraction->parent_fd, name, type | (archive_entry_perm(entry) & 07777), device) <
        0)
        return extract_fail(extraction, "make a device node");
    return open_made(extraction, name, type, O_PATH);
}

static int make_entry(struct extraction *extraction, struct archive_entry *entry, const char *path,
                      const char *name)
{
    const char *hardlink = archive_entry_hardlink(entry);
    mode_t type = archive_entry_filetype(entry);
    cleanup_close int fd = -1;
    int result = extract_make_room(extraction, name, hardlink == NULL && type == AE_IFDIR);

    if (result < 0)
        return result;
    /* A hard link shares everything with its target, attributes included. */
    if (hardlink != NULL)
        return make_hardlink(extraction, hardlink, name);
    switch (type) {
    case AE_IFREG:
        fd = make_file(extraction, entry, name);
        break;
    case AE_IFDIR:
        fd = make_directory(extraction, entry, path, name);
        break;
    case AE_IFLNK:
        fd = make_link(extraction, entry, name);
        break;
    case AE_IFCHR:
    case AE_IFBLK:
    case AE_IFIFO:
        fd = make_node(extraction, entry, name);
        break;
    case AE_IFSOCK: /* tar cannot hold one; nothing could be listening */
        return 0;
    default:
        return error_set(extraction->err, ERROR_CORRUPT, EINVAL, "unknown kind of entry");
    }
    return fd < 0 ? fd : extract_set_attributes(extraction, entry, fd, name);
}

/* "./" as an entry gives the attributes of the layer's root. */
static int set_root_attributes(struct extraction *extraction, struct archive_entry *entry)
{
    if (archive_entry_filetype(entry) != AE_IFDIR)
        return error_set(extraction->err, ERROR_CORRUPT, EINVAL,
                         "the layer's root is not a directory");
    extract_forget_parent(extraction);
    if (fchown(extraction->root_fd, (uid_t)archive_entry_uid(entry),
               (gid_t)archive_entry_gid(entry)) < 0 ||
        fchmod(extraction->root_fd, archive_entry_perm(entry) & 07777) < 0)
        return extract_fail(extraction, "set the attributes of the root");
    return 0;
}

/* A larger number would be another one, root's among them; the largest means that nothing is to be
 * changed (chown(2)). */
static int check_owner(struct extraction *extraction, struct archive_entry *entry)
{
    int64_t uid = archive_entry_uid(entry);
    int64_t gid = archive_entry_gid(entry);

    if (uid >= 0 && uid < UINT32_MAX && gid >= 0 && gid < UINT32_MAX)
        return 0;
    return error_set(extraction->err, ERROR_CORRUPT, ERANGE, "owner %lld:%lld is none",
                     (long long)uid, (long long)gid);
}

static int extract_entry(struct extraction *extraction, struct archive_entry *entry)
{
    char path[PATH_MAX] = "";
    char storage[PATH_MAX];
    const char *directory;
    const char *name;
    bool is_whiteout;
    int result = extract_place_name(extraction, archive_entry_pathname(entry), path);

    if (result < 0)
        return result;
    if (extract_count_entry(extraction) < 0 || check_owner(extraction, entry) < 0)
        return -extraction->err->errnum;
    /* The directory into which a copy is unpacked keeps its attributes. */
    if (extraction->options != NULL &&
        (path[0] == '\0' ||
         (!extraction->options->replaces_top && strcmp(path, extraction->options->prefix) == 0)))
        return 0;
    if (path[0] == '\0')
        return set_root_attributes(extraction, entry);
    path_split(path, storage, &directory, &name);
    is_whiteout =
        extraction->options == NULL && strncmp(name, WHITEOUT_PREFIX, strlen(WHITEOUT_PREFIX)) == 0;
    if (is_whiteout && hides_nothing(extraction, directory))
        return 0;
    result = extract_open_parent(extraction, directory);
    if (result == 0)
        result = is_whiteout ? make_whiteout(extraction, name)
                             : make_entry(extraction, entry, path, name);
    if (result < 0)
        return error_prefix(extraction->err, "entry \"%.200s\"", path);
    /* The name may just have become a link: a cached path through it would be stale. */
    if (archive_entry_filetype(entry) == AE_IFLNK)
        extract_forget_parent(extraction);
    return 0;
}

static int set_directory_times(struct extraction *extraction)
{
    for (size_t i = extraction->directory_count; i > 0; i--) {
        const struct directory_time *time = &extraction->directories[i - 1];
        cleanup_close int fd =
            path_open_in_root(extraction->root_fd, time->path, O_RDONLY | O_DIRECTORY, 0);

        /* A later entry may have replaced the directory: then there is no time to set. */
        if (fd >= 0 && futimens(fd, time->times) < 0)
            return extract_fail(extraction, "set the times of a directory");
    }
    return 0;
}

/* Notes the layer's bytes on its directory, so that nobody has to walk its files to add them up. */
static int note_size(struct extraction *extraction)
{
    char text[24];
    int length = snprintf(text, sizeof(text), "%llu", (unsigned long long)extraction->bytes);

    return fsetxattr(extraction->root_fd, LAYER_BYTES_XATTR, text, (size_t)length, 0) < 0 &&
                   errno != EOPNOTSUPP
               ? extract_fail(extraction, "note the size")
               : 0;
}

static int extract_all(struct extraction *extraction)
{
    struct archive_entry *entry;
    int code;

    while ((code = archive_read_next_header(extraction->archive, &entry)) == ARCHIVE_OK ||
           code == ARCHIVE_WARN) {
        int result = extract_entry(extraction, entry);

        if (result < 0)
            return result;
    }
    if (code != ARCHIVE_EOF)
        return tar_error(extraction->archive, extraction->err);
    code = set_directory_times(extraction);
    return code < 0 || extraction->options != NULL ? code : note_size(extraction);
}

static void release(struct extraction *extraction)
{
    extract_forget_parent(extraction);
    for (size_t i = 0; i < extraction->directory_count; i++)
        free(extraction->directories[i].path);
    free(extraction->directories);
    tdestroy(extraction->implicit, free);
    if (extraction->archive != NULL)
        archive_read_free(extraction->archive);
    decompressor_close(extraction->stream);
    free(extraction);
}

struct extract_order {
    int directory_fd;
    int fd;
    const struct worker_limits *limits;
    const struct extract_options *options;
    int (*confine)(struct error *err);
    int implicit_fd;
};

static int extract(const struct extract_order *order, char digest[DIGEST_SIZE], struct error *err)
{
    struct extraction *extraction = memory_new_one(struct extraction);
    struct error local = {0};
    int result;

    extraction->root_fd = order->directory_fd;
    extraction->parent_fd = -1;
    extraction->limits = order->limits;
    extraction->options = order->options;
    extraction->err = err != NULL ? err : &local;
    result = decompressor_open(order->fd, true, &extraction->stream, extraction->err);
    if (result == 0)
        result = decompressor_read_ahead(extraction->stream, extraction->err);
    if (result == 0 && order->confine != NULL)
        result = order->confine(extraction->err);
    if (result == 0) {
        extraction->archive = tar_open(extraction->stream, extraction->err);
        if (extraction->archive == NULL)
            result = -EBADMSG;
    }
    if (result == 0)
        result = extract_all(extraction);
    if (result == 0)
        result = decompressor_finish(extraction->stream, digest, extraction->err);
    if (result == 0 && order->implicit_fd >= 0)
        result = extract_list_implicit(extraction, order->implicit_fd);
    release(extraction);
    return result;
}

int layer_extract(int directory_fd, int fd, const struct worker_limits *limits,
                  int (*confine)(struct error *err), int implicit_fd, char diff_id[DIGEST_SIZE],
                  struct error *err)
{
    const struct extract_order order = {.directory_fd = directory_fd,
                                        .fd = fd,
                                        .limits = limits,
                                        .confine = confine,
                                        .implicit_fd = implicit_fd};

    return extract(&order, diff_id, err);
}

int tree_extract(int root_fd, int fd, const struct extract_options *options,
                 const struct worker_limits *limits, int (*confine)(struct error *err),
                 struct error *err)
{
    const struct extract_order order = {.directory_fd = root_fd,
                                        .fd = fd,
                                        .limits = limits,
                                        .options = options,
                                        .confine = confine,
                                        .implicit_fd = -1};
    char digest[DIGEST_SIZE];

    return extract(&order, digest, err);
}
