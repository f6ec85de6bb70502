/*
 * A directory tree as tar entries, in the order of names. The tree may belong to a container that
 * runs: nothing is followed, everything is reached from its directory's descriptor, and what
 * changes kind while it is looked at is left out.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <search.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "worker.h"

#define XATTRS_MAX_BYTES 65536
#define OVERLAY_PREFIX "trusted.overlay."
#define OPAQUE OVERLAY_PREFIX "opaque"

/* The first name of a file that has several. */
struct linked {
    dev_t device;
    ino_t inode;
    char *path;
};

struct tree {
    struct archive *archive;
    const struct tree_options *options;
    void *linked; /* a tsearch(3) tree of struct linked */
    dev_t device; /* that the tree begins on */
    bool has_failed;
    struct error *err;
};

static int by_inode(const void *left, const void *right)
{
    const struct linked *one = left;
    const struct linked *other = right;

    if (one->device != other->device)
        return one->device < other->device ? -1 : 1;
    if (one->inode != other->inode)
        return one->inode < other->inode ? -1 : 1;
    return 0;
}

static void free_linked(void *node)
{
    struct linked *linked = node;

    free(linked->path);
    free(linked);
}

/* The path under which another link of the file was written already. NULL: there is none, and
 * `path` is remembered. */
static const char *earlier_name(struct tree *tree, const struct stat *status, const char *path)
{
    const struct linked key = {.device = status->st_dev, .inode = status->st_ino};
    struct linked *const *found;
    struct linked *linked;

    if (S_ISDIR(status->st_mode) || status->st_nlink < 2)
        return NULL;
    found = tfind(&key, &tree->linked, by_inode);
    if (found != NULL)
        return (*found)->path;
    linked = memory_new_one(struct linked);
    *linked = key;
    linked->path = memory_strdup(path);
    tsearch(linked, &tree->linked, by_inode);
    return NULL;
}

/* Reads attributes by name in the working directory, since symbolic links and devices cannot be
 * opened for this. A filesystem without attributes is no error. */
static void add_xattrs(struct archive_entry *entry, int directory_fd, const char *name)
{
    cleanup_free char *names = memory_new(XATTRS_MAX_BYTES, 1);
    cleanup_free char *value = memory_new(XATTRS_MAX_BYTES, 1);
    ssize_t length;

    if (fchdir(directory_fd) < 0)
        return;
    length = llistxattr(name, names, XATTRS_MAX_BYTES);
    for (const char *one = names; length > 0 && one < names + length; one += strlen(one) + 1) {
        ssize_t size;

        if (!layer_xattr_is_allowed(one))
            continue;
        size = lgetxattr(name, one, value, XATTRS_MAX_BYTES);
        if (size >= 0)
            archive_entry_xattr_add_entry(entry, one, value, (size_t)size);
    }
}

static void set_times(struct tree *tree, struct archive_entry *entry, const struct stat *status)
{
    if (tree->options->has_fixed_time)
        archive_entry_set_mtime(entry, tree->options->time_s, 0);
    else
        archive_entry_set_mtime(entry, status->st_mtim.tv_sec, status->st_mtim.tv_nsec);
}

static int write_header(struct tree *tree, struct archive_entry *entry)
{
    /* ARCHIVE_WARN is about a name that is not UTF-8, which the entry's header says. */
    return archive_write_header(tree->archive, entry) < ARCHIVE_WARN
               ? tar_write_error(tree->archive, tree->err)
               : 0;
}

/* The regions that hold data; the rest is a hole, which costs nothing in the archive. */
static void describe_holes(struct archive_entry *entry, int fd, const struct stat *status)
{
    off_t data = 0;
    off_t hole;

    if ((off_t)status->st_blocks * 512 >= status->st_size)
        return;
    while ((data = lseek(fd, data, SEEK_DATA)) >= 0) {
        hole = lseek(fd, data, SEEK_HOLE);
        if (hole < 0 || hole > status->st_size)
            hole = status->st_size;
        if (hole <= data)
            break;
        archive_entry_sparse_add_entry(entry, data, hole - data);
        data = hole;
    }
    if (archive_entry_sparse_count(entry) == 0)
        archive_entry_sparse_add_entry(entry, status->st_size, 0);
    lseek(fd, 0, SEEK_SET);
}

/* Writes no more than the header's size. If the file shrinks meanwhile, libarchive adds zeros. */
static int copy_content(struct tree *tree, int fd, int64_t size)
{
    cleanup_free char *bytes = memory_new(1 << 17, 1);

    while (size > 0) {
        ssize_t count = read(fd, bytes, size < 1 << 17 ? (size_t)size : 1 << 17);

        if (count < 0)
            return error_errno(tree->err, errno, "read");
        if (count == 0)
            break;
        if (archive_write_data(tree->archive, bytes, (size_t)count) < 0)
            return tar_write_error(tree->archive, tree->err);
        size -= count;
    }
    return 0;
}

/* Reading changes no access time, but of files whose owner nobody is in the container's ids: such
 * as a vendor's, bound into it. */
static int open_file(int directory_fd, const char *name)
{
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = openat(directory_fd, name, flags | O_NOATIME);

    return fd < 0 && errno == EPERM ? openat(directory_fd, name, flags) : fd;
}

static int add_file(struct tree *tree, struct archive_entry *entry, int directory_fd,
                    const char *name)
{
    cleanup_close int fd = open_file(directory_fd, name);
    struct stat status;
    int result;

    if (fd < 0 && (errno == ENOENT || errno == ELOOP))
        return 0;
    if (fd < 0 || fstat(fd, &status) < 0)
        return error_errno(tree->err, errno, "open");
    if (!S_ISREG(status.st_mode))
        return 0;
    archive_entry_set_size(entry, status.st_size);
    describe_holes(entry, fd, &status);
    result = write_header(tree, entry);
    return result < 0 ? result : copy_content(tree, fd, status.st_size);
}

static bool is_whiteout(const struct stat *status)
{
    return S_ISCHR(status->st_mode) && status->st_rdev == makedev(0, 0);
}

static int add_marker(struct tree *tree, const char *directory, const char *name)
{
    struct archive_entry *entry = archive_entry_new();
    cleanup_free char *path =
        memory_printf("%s%s%s", directory, directory[0] != '\0' ? "/" : "", name);
    int result;

    archive_entry_set_pathname(entry, path);
    archive_entry_set_mode(entry, AE_IFREG | 0600);
    archive_entry_set_mtime(entry, 0, 0);
    archive_entry_set_size(entry, 0);
    result = write_header(tree, entry);
    archive_entry_free(entry);
    return result;
}

static int add_whiteout(struct tree *tree, const char *directory, const char *name)
{
    cleanup_free char *marker = memory_printf(WHITEOUT_PREFIX "%s", name);

    return add_marker(tree, directory, marker);
}

bool tree_is_of_kernel(int fd)
{
    static const uint64_t kinds[] = {
        PROC_SUPER_MAGIC,   SYSFS_MAGIC,          CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
        DEVPTS_SUPER_MAGIC, DEBUGFS_MAGIC,        TRACEFS_MAGIC,      SECURITYFS_MAGIC,
        BPF_FS_MAGIC,       EFIVARFS_MAGIC,       PSTOREFS_MAGIC,     NSFS_MAGIC,
        BINFMTFS_MAGIC,     RDTGROUP_SUPER_MAGIC,
    };
    struct statfs filesystem;

    if (fstatfs(fd, &filesystem) < 0)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if ((uint64_t)filesystem.f_type == kinds[i])
            return true;
    }
    return false;
}

static int add_directory(struct tree *tree, int directory_fd, const char *path, int depth);

static int add_subdirectory(struct tree *tree, struct archive_entry *entry, int directory_fd,
                            const char *name, const char *path, const struct stat *status,
                            int depth)
{
    cleanup_close int fd =
        openat(directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int result;

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
        return 0;
    if (fd < 0)
        return error_errno(tree->err, errno, "open");
    result = write_header(tree, entry);
    if (result < 0 || (status->st_dev != tree->device && tree_is_of_kernel(fd)))
        return result;
    return add_directory(tree, fd, path, depth + 1);
}

static int add_link(struct tree *tree, struct archive_entry *entry, int directory_fd,
                    const char *name)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(directory_fd, name, target, sizeof(target) - 1);

    if (length < 0)
        return errno == ENOENT || errno == EINVAL ? 0 : error_errno(tree->err, errno, "read link");
    target[length] = '\0';
    archive_entry_set_symlink(entry, target);
    return write_header(tree, entry);
}

static int fill_entry(struct tree *tree, struct archive_entry *entry, int directory_fd,
                      const char *name, const char *path, const struct stat *status, int depth)
{
    const char *earlier = earlier_name(tree, status, path);

    archive_entry_set_pathname(entry, path);
    archive_entry_set_mode(entry, status->st_mode);
    archive_entry_set_uid(entry, status->st_uid);
    archive_entry_set_gid(entry, status->st_gid);
    set_times(tree, entry, status);
    if (earlier != NULL) {
        archive_entry_set_size(entry, 0);
        archive_entry_set_hardlink(entry, earlier);
        return write_header(tree, entry);
    }
    add_xattrs(entry, directory_fd, name);
    if (S_ISREG(status->st_mode))
        return add_file(tree, entry, directory_fd, name);
    if (S_ISDIR(status->st_mode))
        return add_subdirectory(tree, entry, directory_fd, name, path, status, depth);
    if (S_ISLNK(status->st_mode))
        return add_link(tree, entry, directory_fd, name);
    if (S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode))
        archive_entry_set_rdev(entry, status->st_rdev);
    return write_header(tree, entry);
}

static int add_entry(struct tree *tree, int directory_fd, const char *directory, const char *name,
                     const struct stat *status, int depth)
{
    cleanup_free char *path =
        memory_printf("%s%s%s", directory, directory[0] != '\0' ? "/" : "", name);
    struct archive_entry *entry = archive_entry_new();
    int result = fill_entry(tree, entry, directory_fd, name, path, status, depth);

    archive_entry_free(entry);
    /* Said once, and not again by each directory above. */
    if (result < 0 && !tree->has_failed)
        error_prefix(tree->err, "%.256s%s", path, strlen(path) > 256 ? "..." : "");
    tree->has_failed = tree->has_failed || result < 0;
    return result;
}

static int is_visible(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_name(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

int directory_list(int directory_fd, struct dirent ***entries)
{
    return scandirat(directory_fd, ".", entries, is_visible, by_name);
}

void directory_list_free(struct dirent **entries, int count)
{
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
}

/* Adds only whiteouts, or only what is none: image-spec wants whiteouts before their siblings. */
static int add_entries(struct tree *tree, int directory_fd, const char *path,
                       struct dirent *const *entries, int count, bool whiteouts, int depth)
{
    int result = 0;

    for (int i = 0; result == 0 && i < count; i++) {
        const char *name = entries[i]->d_name;
        struct stat status;

        /* Skips files that have gone meanwhile, and sockets, which no archive can hold. */
        if (fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
            S_ISSOCK(status.st_mode))
            continue;
        if (tree->options->is_upper && is_whiteout(&status)) {
            if (whiteouts)
                result = add_whiteout(tree, path, name);
        } else if (!whiteouts) {
            result = add_entry(tree, directory_fd, path, name, &status, depth);
        }
    }
    return result;
}

static int add_directory(struct tree *tree, int directory_fd, const char *path, int depth)
{
    struct dirent **entries = NULL;
    char opaque = '\0';
    int result = 0;
    int count;

    if (depth == TREE_DEPTH_MAX)
        return error_set(tree->err, ERROR_TOO_LARGE, ELOOP, "nested too deeply");
    if (tree->options->is_upper && fgetxattr(directory_fd, OPAQUE, &opaque, 1) == 1 &&
        opaque == 'y')
        result = add_marker(tree, path, OPAQUE_MARKER);
    if (result < 0)
        return result;
    count = directory_list(directory_fd, &entries);
    if (count < 0)
        return error_errno(tree->err, errno, "read the directory");
    if (tree->options->is_upper)
        result = add_entries(tree, directory_fd, path, entries, count, true, depth);
    if (result == 0)
        result = add_entries(tree, directory_fd, path, entries, count, false, depth);
    directory_list_free(entries, count);
    return result;
}

static int note_device(struct tree *tree, int directory_fd)
{
    struct stat status;

    if (fstat(directory_fd, &status) < 0)
        return error_errno(tree->err, errno, "stat");
    tree->device = status.st_dev;
    return 0;
}

int tree_write(struct archive *archive, int directory_fd, const struct tree_options *options,
               struct error *err)
{
    struct tree tree = {.archive = archive, .options = options, .err = err};
    int result = note_device(&tree, directory_fd);

    if (result == 0)
        result = add_directory(&tree, directory_fd, "", 0);
    tdestroy(tree.linked, free_linked);
    return result;
}

int tree_write_one(struct archive *archive, int directory_fd, const char *name, const char *path,
                   const struct tree_options *options, struct error *err)
{
    struct tree tree = {.archive = archive, .options = options, .err = err};
    struct archive_entry *entry;
    struct stat status;
    int result;

    if (note_device(&tree, directory_fd) < 0)
        return -err->errnum;
    if (fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, errno, "%.256s", name);
    entry = archive_entry_new();
    result = fill_entry(&tree, entry, directory_fd, name, path, &status, 0);
    archive_entry_free(entry);
    tdestroy(tree.linked, free_linked);
    return result;
}
