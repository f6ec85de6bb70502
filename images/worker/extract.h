/* An extraction under way, as the files about it share it. */
#ifndef DAVIT_IMAGES_WORKER_EXTRACT_H
#define DAVIT_IMAGES_WORKER_EXTRACT_H

#include <archive.h>
#include <archive_entry.h>
#include <limits.h>
#include <time.h>

#include "worker.h"

/* Times of directories are set last: making their entries changes them. */
struct directory_time {
    char *path;
    struct timespec times[2];
};

struct extraction {
    int root_fd;
    struct decompressor *stream;
    struct archive *archive;
    const struct worker_limits *limits;
    const struct extract_options *options; /* NULL: a layer */
    struct error *err;
    uint64_t bytes;
    uint64_t entries;
    char parent_path[PATH_MAX]; /* of parent_fd; entries of one directory come together */
    int parent_fd;
    struct directory_time *directories;
    size_t directory_count;
    void *implicit; /* directories made without an entry: a tsearch(3) tree of paths */
    size_t implicit_bytes;
};

void extract_entry_times(struct archive_entry *entry, struct timespec times[2]);

int extract_fail(struct extraction *extraction, const char *what);

/* Sets owner, mode, extended attributes and times, by descriptor where that is possible: a process
 * of the container may have put something else under the name meanwhile. */
int extract_set_attributes(struct extraction *extraction, struct archive_entry *entry, int fd,
                           const char *name);

/* Counts one more of what the layer makes; refuses what its limits do not allow. */
int extract_count_entry(struct extraction *extraction);

/* Forgets that the directory has no entry: its entry has come. */
void extract_forget_implicit(struct extraction *extraction, const char *path);

void extract_forget_parent(struct extraction *extraction);

int extract_list_implicit(const struct extraction *extraction, int fd);

/* Removes what has the name already. A directory stays if the new entry is one too; with keeps_kind
 * a change of kind is an error. */
int extract_make_room(struct extraction *extraction, const char *name, bool is_directory);

/* The directory an entry goes to, made if the layer has no entry for it. */
int extract_open_parent(struct extraction *extraction, const char *directory);

/* Where the entry goes, below the root. */
int extract_place_name(struct extraction *extraction, const char *name, char path[PATH_MAX]);

#endif
