/*
 * What a container sees and what it has changed: its own directory (overlayfs's upper one) on top
 * of its image's layers. Nothing here is followed; all is reached from its directory's descriptor.
 */
#include <archive.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "worker.h"

/* Docker's numbers. */
enum change {
    CHANGE_MODIFIED,
    CHANGE_ADDED,
    CHANGE_DELETED,
};

struct diff {
    struct json_writer *writer;
    struct error *err;
};

static void write_change(struct diff *diff, const char *path, enum change change)
{
    json_object_open(diff->writer);
    json_member_string(diff->writer, "Path", path);
    json_member_integer(diff->writer, "Kind", change);
    json_object_close(diff->writer);
}

static int list(struct diff *diff, int directory_fd, struct dirent ***entries)
{
    int count = directory_list(directory_fd, entries);

    return count < 0 ? error_errno(diff->err, errno, "read a directory") : count;
}

static int open_directory(int parent_fd, const char *name)
{
    return parent_fd < 0 ? -1
                         : openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool is_opaque(int directory_fd)
{
    char value = '\0';

    return fgetxattr(directory_fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

/* A directory that was made anew hides all that the image has there. */
static int diff_hidden(struct diff *diff, int upper_fd, int image_fd, const char *path)
{
    struct dirent **entries = NULL;
    int count = list(diff, image_fd, &entries);

    for (int i = 0; i < count; i++) {
        cleanup_free char *child = memory_printf("%s/%s", path, entries[i]->d_name);

        if (faccessat(upper_fd, entries[i]->d_name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
            write_change(diff, child, CHANGE_DELETED);
    }
    directory_list_free(entries, count);
    return count < 0 ? count : 0;
}

static int diff_directory(struct diff *diff, int upper_fd, int image_fd, const char *path,
                          int depth);

static int diff_entry(struct diff *diff, int upper_fd, int image_fd, const char *path,
                      const char *name, int depth)
{
    cleanup_free char *child = memory_printf("%s/%s", path, name);
    cleanup_close int upper_child = -1;
    cleanup_close int image_child = -1;
    struct stat status;
    struct stat before;
    bool is_new = image_fd < 0 || fstatat(image_fd, name, &before, AT_SYMLINK_NOFOLLOW) < 0;

    if (fstatat(upper_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (S_ISCHR(status.st_mode) && status.st_rdev == 0) {
        write_change(diff, child, CHANGE_DELETED);
        return 0;
    }
    write_change(diff, child, is_new ? CHANGE_ADDED : CHANGE_MODIFIED);
    if (!S_ISDIR(status.st_mode))
        return 0;
    upper_child = open_directory(upper_fd, name);
    image_child = open_directory(image_fd, name);
    return upper_child < 0 ? 0 : diff_directory(diff, upper_child, image_child, child, depth + 1);
}

/* image_fd is the same directory of the image, -1 if it has none. */
static int diff_directory(struct diff *diff, int upper_fd, int image_fd, const char *path,
                          int depth)
{
    struct dirent **entries = NULL;
    int result = 0;
    int count;

    if (depth == TREE_DEPTH_MAX)
        return error_set(diff->err, ERROR_TOO_LARGE, ELOOP, "%.256s: nested too deeply", path);
    if (image_fd >= 0 && depth > 0 && is_opaque(upper_fd))
        result = diff_hidden(diff, upper_fd, image_fd, path);
    if (result < 0)
        return result;
    count = list(diff, upper_fd, &entries);
    if (count < 0)
        return count;
    for (int i = 0; result == 0 && i < count; i++)
        result = diff_entry(diff, upper_fd, image_fd, path, entries[i]->d_name, depth);
    directory_list_free(entries, count);
    return result;
}

int container_open(int store_fd, const char *id, struct error *err)
{
    cleanup_close int parent_fd =
        openat(store_fd, "containers", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int fd =
        parent_fd < 0 ? -1 : openat(parent_fd, id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? error_errno(err, errno, "container %.64s", id) : fd;
}

int container_diff(int store_fd, int out_fd, const struct container_job *job, struct error *err)
{
    struct diff diff = {.writer = json_writer_new(false), .err = err};
    cleanup_close int image_fd = overlay_view(store_fd, &job->layers, -1, err);
    cleanup_close int container_fd = container_open(store_fd, job->id, err);
    cleanup_close int upper_fd = open_directory(container_fd, "upper");
    int result = image_fd < 0 || container_fd < 0 ? -err->errnum : 0;

    json_array_open(diff.writer);
    /* A container without upper/ has never been started. */
    if (result == 0 && upper_fd >= 0)
        result = diff_directory(&diff, upper_fd, image_fd, "", 0);
    json_array_close(diff.writer);
    if (result == 0) {
        const char *text = json_writer_text(diff.writer);

        result = file_write_fd(out_fd, text, strlen(text));
    }
    json_writer_free(diff.writer);
    return result;
}

int job_run_export(int store_fd, int out_fd, const struct container_job *job, struct error *err)
{
    const struct tree_options options = {0};
    cleanup_close int container_fd = container_open(store_fd, job->id, err);
    cleanup_close int root_fd = -1;
    struct archive *archive;

    if (container_fd < 0)
        return container_fd;
    root_fd = overlay_view(store_fd, &job->layers, container_fd, err);
    if (root_fd < 0)
        return root_fd;
    archive = tar_create(out_fd, TAR_EXACT, err);
    if (archive == NULL)
        return -EIO;
    return tar_finish(archive, tree_write(archive, root_fd, &options, err), err);
}

/* Reports the bytes that NAME/part takes, for every NAME in the directory. */
static int report_usage(int store_fd, int out_fd, const char *directory, const char *part,
                        const char *kind, struct error *err)
{
    int fd = openat(store_fd, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_dir DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    int result = 0;

    if (dir == NULL)
        return error_errno(err, errno, "open %s", directory);
    while (result == 0 && (entry = readdir(dir)) != NULL) {
        cleanup_free char *path = memory_printf("%s/%s", entry->d_name, part);
        uint64_t bytes = 0;

        /* What is neither a container nor a volume is not counted. */
        if (entry->d_name[0] == '.' || faccessat(fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        result = path_tree_size(fd, path, &bytes, err);
        if (result == 0)
            result = report_write(out_fd,
                                  &(struct image_report){
                                      .status = kind, .id = entry->d_name, .total = (int64_t)bytes},
                                  err);
    }
    return result;
}

int store_usage(int store_fd, int out_fd, struct error *err)
{
    int result = report_usage(store_fd, out_fd, "containers", "upper", REPORT_CONTAINER, err);

    return result < 0 ? result
                      : report_usage(store_fd, out_fd, "volumes", "_data", REPORT_VOLUME, err);
}
