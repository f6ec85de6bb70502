/*
 * A container's log on disk: ID-json.log, which its monitor writes, and when that has grown the
 * ones before it, ID-json.log.1 (the youngest) and on. davitd reads them while they are rotated.
 *
 * A rotation makes room at ".1", puts an empty file there and exchanges it with the current one: at
 * no moment is there no current file, and whoever has a file open finds its successor by inode.
 */
#ifndef DAVIT_SUPERVISOR_MONITOR_LOG_FILES_H
#define DAVIT_SUPERVISOR_MONITOR_LOG_FILES_H

#include "base/error.h"

#define LOG_FILES_MAX 1000

/* The current file, to append to. Returns a descriptor. */
int log_files_open_current(int directory_fd, const char *id, struct error *err);

/* Begins an empty file; at most `max_files` are kept, the current one among them. Returns the new
 * one's descriptor. With only one it is emptied, and `fd` itself is returned. */
int log_files_rotate(int directory_fd, const char *id, unsigned int max_files, int fd,
                     struct error *err);

/* For a reader: the oldest file. A container that never ran gets an empty one. */
int log_files_open_oldest(int directory_fd, const char *id, struct error *err);

/* The file that was written after the one of `fd`; -ENOENT if that is the current one. If the file
 * of `fd` was removed meanwhile, it is the oldest that is left. */
int log_files_open_next(int directory_fd, const char *id, int fd);

/* The file that was written before the one of `fd`; -ENOENT if there is none. */
int log_files_open_previous(int directory_fd, const char *id, int fd);

#endif
