/*
 * The packages of an image, from the databases of dpkg, apk and rpm. The process that reads them
 * has the image as its "/".
 */
#ifndef DAVIT_IMAGES_WORKER_PACKAGES_H
#define DAVIT_IMAGES_WORKER_PACKAGES_H

#include "base/error.h"
#include "base/json_table.h"

#define PACKAGES_MAX 200000
#define PACKAGE_FILE_MAX (128 << 20) /* of a database that is text */

enum package_kind {
    PACKAGE_DEB,
    PACKAGE_APK,
    PACKAGE_RPM,
};

struct package {
    enum package_kind kind;
    const char *name;
    const char *version; /* with epoch and release where they have them */
    const char *architecture;
    const char *source; /* what it was built from; NULL: itself */
    const char *source_version;
    const char *license;
    const char *supplier;
};

struct packages {
    LIST_OF(struct package) list;
    size_t capacity;
    const char *os_id; /* of os-release(5): "debian" */
    const char *os_version;
    const char *os_name; /* for people */
    struct arena arena;
};

/* Reads every database that is there. ERROR_UNSUPPORTED for an rpm database of a kind that cannot
 * be read: a list that lacks something would be worse than none. */
int packages_read(struct packages *packages, struct error *err);
void packages_release(struct packages *packages);

/* Adds a zeroed package. NULL with err filled if there are PACKAGES_MAX. */
struct package *packages_add(struct packages *packages, struct error *err);

/* Parsers of each kind of database. Any bytes may be given to them. */

int packages_parse_dpkg(struct packages *packages, const char *text, size_t length,
                        struct error *err);
int packages_parse_apk(struct packages *packages, const char *text, size_t length,
                       struct error *err);
int packages_parse_rpm_header(struct packages *packages, const unsigned char *bytes, size_t length,
                              struct error *err);
void packages_parse_os_release(struct packages *packages, const char *text, size_t length);

/* Reads rpm's sqlite database; `path` has to be a regular file. */
int packages_read_rpm(struct packages *packages, const char *path, struct error *err);

#endif
