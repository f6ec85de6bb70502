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
    struct stream *stream;
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
    void *implicit; /* a tsearch(3) tree of paths */
    size_t implicit_bytes;
};

void extract_entry_times(struct archive_entry *entry, struct timespec times[2]);

int extract_fail(struct extraction *extraction, const char *what);

/* To what was made, whatever its name may mean by now: who runs in the container can change that.
 */
int extract_set_attributes(struct extraction *extraction, struct archive_entry *entry, int fd,
                           const char *name);

/* It has an entry after all. */
void extract_forget_implicit(struct extraction *extraction, const char *path);

void extract_forget_parent(struct extraction *extraction);

int extract_list_implicit(const struct extraction *extraction, int fd);

/* What an earlier entry made under the same name gives way; a directory only to a non-directory. */
int extract_make_room(struct extraction *extraction, const char *name, bool is_directory);

/* The directory an entry goes to, made if the layer has no entry for it. */
int extract_open_parent(struct extraction *extraction, const char *directory);

/* Where the entry goes, below the root. */
int extract_place_name(struct extraction *extraction, const char *name, char path[PATH_MAX]);

#endif
