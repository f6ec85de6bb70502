/*
 * Files that nobody could make again are kept twice: NAME, and beside it .NAME.copy, so that damage
 * to one of them loses nothing. Writing syncs the first alone: no power cut damages both.
 */
#ifndef DAVIT_BASE_FILE_TWICE_H
#define DAVIT_BASE_FILE_TWICE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "buffer.h"
#include "error.h"

/* Writes both, sealed (file.h). */
int file_replace_twice(int directory_fd, const char *name, const void *bytes, size_t length,
                       mode_t mode, struct error *err);

/* Reads the file, and if it is missing or `take` refuses it, its copy. Content that comes from the
 * copy is put in the file's place; *is_damaged says that, and why is in `err`. Where neither is
 * whole a file that `take` accepts is better than none. After a failure `err` is about the file
 * itself. `take` may keep nothing of a text that it refuses. */
typedef int file_take(void *context, const char *text, size_t length, struct error *err);
int file_read_twice(int directory_fd, const char *name, size_t max_bytes, file_take *take,
                    void *context, bool *is_damaged, struct error *err);

/* Reads the copy alone. */
int file_read_copy(int directory_fd, const char *name, size_t max_bytes, struct buffer *content,
                   struct error *err);

/* Removes both, durably. After a failure the file is there, unless another failure kept it from
 * being put back. */
int file_remove_twice(int directory_fd, const char *name, struct error *err);

/* Whether a directory's entry is what file_remove_twice() left when the machine died: to be
 * unlinked. */
bool file_was_removed(const char *entry);

/* "NAME" of ".NAME.copy", for who lists a directory; NULL if it is called otherwise. free() it. */
char *file_name_of_copy(const char *entry);

#endif
