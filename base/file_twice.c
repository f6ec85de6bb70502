/* Files that are kept twice: see file_twice.h. */
#include "file_twice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "file.h"
#include "memory.h"

#define NAME_SIZE 300

#define COPY_SUFFIX ".copy"
#define REMOVED_SUFFIX ".removed"

static void name_copy(const char *name, char copy[NAME_SIZE])
{
    snprintf(copy, NAME_SIZE, ".%s" COPY_SUFFIX, name);
}

char *file_name_of_copy(const char *entry)
{
    const size_t suffix = strlen(COPY_SUFFIX);
    size_t length = strlen(entry);

    if (entry[0] != '.' || length < suffix + 2 || strcmp(entry + length - suffix, COPY_SUFFIX) != 0)
        return NULL;
    return memory_printf("%.*s", (int)(length - suffix - 1), entry + 1);
}

int file_replace_twice(int directory_fd, const char *name, const void *bytes, size_t length,
                       mode_t mode, struct error *err)
{
    char copy[NAME_SIZE];
    int result = file_replace_sealed(directory_fd, name, bytes, length, mode, true, err);

    name_copy(name, copy);
    /* It is written; an older copy is worse than none. */
    if (result == 0 &&
        file_replace_sealed(directory_fd, copy, bytes, length, mode, false, NULL) < 0)
        unlinkat(directory_fd, copy, 0);
    return result;
}

int file_read_copy(int directory_fd, const char *name, size_t max_bytes, struct buffer *content,
                   struct error *err)
{
    char copy[NAME_SIZE];

    name_copy(name, copy);
    return file_read_sealed(directory_fd, copy, max_bytes, content, err);
}

int file_read_twice(int directory_fd, const char *name, size_t max_bytes, file_take *take,
                    void *context, bool *is_damaged, struct error *err)
{
    cleanup_buffer struct buffer content = {0};
    cleanup_buffer struct buffer copy = {0};
    const struct buffer *taken;
    int result = file_read_sealed(directory_fd, name, max_bytes, &content, err);
    bool is_file_whole = result == 0;

    *is_damaged = false;
    if (is_file_whole)
        result = take(context, buffer_text(&content), content.length, err);
    if (result == 0)
        return 0;
    if (file_read_copy(directory_fd, name, max_bytes, &copy, NULL) == 0 &&
        take(context, buffer_text(&copy), copy.length, NULL) == 0)
        taken = &copy;
    else if (!is_file_whole && content.length > 0 &&
             take(context, buffer_text(&content), content.length, NULL) == 0)
        taken = &content; /* Damaged, and better than nothing. */
    else
        return result;
    *is_damaged = true;
    file_replace_sealed(directory_fd, name, buffer_text(taken), taken->length, 0600, true, NULL);
    return 0;
}

int file_remove_twice(int directory_fd, const char *name, struct error *err)
{
    char copy[NAME_SIZE];
    char removed[NAME_SIZE];
    int result = 0;

    name_copy(name, copy);
    snprintf(removed, sizeof(removed), ".%s" REMOVED_SUFFIX, name);
    /* It can be put back until its removal is on the disk. */
    if (renameat(directory_fd, name, directory_fd, removed) < 0)
        return error_errno(err, errno, "remove %s", name);
    if ((unlinkat(directory_fd, copy, 0) < 0 && errno != ENOENT) || fsync(directory_fd) < 0)
        result = -errno;
    if (result < 0) {
        renameat(directory_fd, removed, directory_fd, name);
        return error_errno(err, -result, "remove %s", name);
    }
    unlinkat(directory_fd, removed, 0);
    return 0;
}

bool file_was_removed(const char *entry)
{
    size_t length = strlen(entry);

    return entry[0] == '.' && length > strlen(REMOVED_SUFFIX) &&
           strcmp(entry + length - strlen(REMOVED_SUFFIX), REMOVED_SUFFIX) == 0;
}
