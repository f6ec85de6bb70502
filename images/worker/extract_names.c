/* Names of a layer, and the directories that they lie in: see extract.h. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "extract.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMPLICIT_MAX_BYTES (16 << 20)

/* Strips leading "/" and "./" and trailing slashes; refuses "..", which no layer needs. */
static int clean_name(struct extraction *extraction, const char *name, char *clean)
{
    size_t length = 0;

    if (name == NULL || strlen(name) >= PATH_MAX)
        return error_set(extraction->err, ERROR_CORRUPT, ENAMETOOLONG,
                         "an entry's name is missing or too long");
    for (const char *part = name; *part != '\0';) {
        size_t part_length = strcspn(part, "/");

        if (part_length == 2 && strncmp(part, "..", 2) == 0)
            return error_set(extraction->err, ERROR_CORRUPT, EINVAL,
                             "entry \"%.200s\" would leave the layer", name);
        if (part_length > 0 && !(part_length == 1 && part[0] == '.')) {
            if (length > 0)
                clean[length++] = '/';
            memcpy(clean + length, part, part_length);
            length += part_length;
        }
        part += part_length;
        part += strspn(part, "/");
    }
    clean[length] = '\0';
    return 0;
}

int extract_place_name(struct extraction *extraction, const char *name, char path[PATH_MAX])
{
    const struct extract_options *options = extraction->options;
    const char *prefix = options != NULL ? options->prefix : "";
    char clean[PATH_MAX] = "";
    const char *rest = clean;
    int result = clean_name(extraction, name, clean);

    if (result < 0)
        return result;
    /* The top of what was asked for as "DIRECTORY/." is ".", of which nothing is left here. */
    if (options != NULL && options->replaces_top && strncmp(name, "./", 2) != 0) {
        rest += strcspn(rest, "/");
        rest += rest[0] == '/';
    }
    if (snprintf(path, PATH_MAX, "%s%s%s", prefix, prefix[0] != '\0' && rest[0] != '\0' ? "/" : "",
                 rest) >= PATH_MAX)
        return error_set(extraction->err, ERROR_CORRUPT, ENAMETOOLONG, "a name is too long");
    return 0;
}

void extract_forget_parent(struct extraction *extraction)
{
    fd_close(&extraction->parent_fd);
    extraction->parent_path[0] = '\0';
}

static int by_path(const void *left, const void *right)
{
    return strcmp(left, right);
}

int extract_count_entry(struct extraction *extraction)
{
    if (++extraction->entries <= extraction->limits->layer_entries)
        return 0;
    return error_set(extraction->err, ERROR_TOO_LARGE, E2BIG,
                     "the layer has more than %llu entries",
                     (unsigned long long)extraction->limits->layer_entries);
}

/* Remembers those components of a path that are not there yet. They are made, and count as
 * entries. */
static int note_missing(struct extraction *extraction, const char *directory)
{
    cleanup_close int all_fd = path_open_beneath(
        extraction->root_fd, directory[0] != '\0' ? directory : ".", O_PATH | O_NOFOLLOW, 0);

    /* Nearly always all of them are: one look, and not one for each, which adds up in deep trees.
     */
    if (all_fd >= 0)
        return 0;
    for (size_t length = 0; directory[length] != '\0';) {
        char path[PATH_MAX];
        int fd;

        length += strcspn(directory + length + 1, "/") + 1;
        snprintf(path, sizeof(path), "%.*s", (int)length, directory);
        fd = path_open_beneath(extraction->root_fd, path, O_PATH | O_NOFOLLOW, 0);
        if (fd >= 0)
            close(fd);
        if (fd < 0 && extract_count_entry(extraction) < 0)
            return -extraction->err->errnum;
        /* Bounded against hostile layers: directories beyond the bound do not get the attributes
         * that they have in the layers below. */
        if (fd == -ENOENT && extraction->implicit_bytes < IMPLICIT_MAX_BYTES) {
            extraction->implicit_bytes += length + 1;
            tsearch(memory_strdup(path), &extraction->implicit, by_path);
        }
    }
    return 0;
}

void extract_forget_implicit(struct extraction *extraction, const char *path)
{
    void *found = tfind(path, &extraction->implicit, by_path);
    char *name = found != NULL ? *(char **)found : NULL;

    if (name == NULL)
        return;
    tdelete(path, &extraction->implicit, by_path);
    free(name);
}

struct implicit_list {
    int fd;
    int result;
};

static void write_implicit(const void *node, VISIT visit, void *context)
{
    const char *path = *(const char *const *)node;
    struct implicit_list *list = context;

    if (list->result == 0 && (visit == postorder || visit == leaf))
        list->result = file_write_fd(list->fd, path, strlen(path) + 1);
}

int extract_list_implicit(const struct extraction *extraction, int fd)
{
    struct implicit_list list = {.fd = fd};

    twalk_r(extraction->implicit, write_implicit, &list);
    return list.result < 0
               ? error_errno(extraction->err, -list.result, "write the list of directories")
               : 0;
}

int extract_open_parent(struct extraction *extraction, const char *directory)
{
    if (extraction->parent_fd >= 0 && strcmp(directory, extraction->parent_path) == 0)
        return 0;
    extract_forget_parent(extraction);
    if (extraction->options == NULL && note_missing(extraction, directory) < 0)
        return -extraction->err->errnum;
    extraction->parent_fd =
        path_make_directories(extraction->root_fd, directory, 0755, extraction->err);
    if (extraction->parent_fd < 0) {
        int result = extraction->parent_fd;

        extraction->parent_fd = -1;
        return result;
    }
    snprintf(extraction->parent_path, sizeof(extraction->parent_path), "%s", directory);
    return 0;
}

int extract_make_room(struct extraction *extraction, const char *name, bool is_directory)
{
    struct stat status;

    if (fstatat(extraction->parent_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (is_directory && S_ISDIR(status.st_mode))
        return 0;
    if (extraction->options != NULL && extraction->options->keeps_kind &&
        is_directory != S_ISDIR(status.st_mode))
        return error_set(extraction->err, ERROR_INVALID, EEXIST, "cannot overwrite %s",
                         is_directory ? "non-directory with directory"
                                      : "directory with non-directory");
    return path_remove_tree(extraction->parent_fd, name, extraction->err);
}
