/* rpm's database: rows of headers in sqlite. A header is an index of tags into a store of values,
 * all in big endian (rpm: "RPM v4 Format", header structure). */
#include <endian.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "packages.h"

#define TAG_NAME 1000
#define TAG_VERSION 1001
#define TAG_RELEASE 1002
#define TAG_EPOCH 1003
#define TAG_VENDOR 1011
#define TAG_LICENSE 1014
#define TAG_ARCHITECTURE 1022
#define TAG_SOURCE 1044

#define TYPE_INT32 4
#define TYPE_STRING 6
#define TYPE_STRING_ARRAY 8
#define TYPE_I18N 9

struct header {
    const unsigned char *index;
    uint32_t count;
    const unsigned char *store;
    uint32_t size;
};

struct header_entry {
    uint32_t tag;
    uint32_t type;
    uint32_t offset;
    uint32_t count;
};

static uint32_t read_number(const unsigned char *bytes)
{
    uint32_t number;

    memcpy(&number, bytes, sizeof(number));
    return be32toh(number);
}

static bool open_header(struct header *header, const unsigned char *bytes, size_t length)
{
    if (length < 8)
        return false;
    header->count = read_number(bytes);
    header->size = read_number(bytes + 4);
    if (header->count > (length - 8) / 16 || header->size > length - 8 - 16 * (size_t)header->count)
        return false;
    header->index = bytes + 8;
    header->store = header->index + 16 * (size_t)header->count;
    return true;
}

static bool find_entry(const struct header *header, uint32_t tag, struct header_entry *entry)
{
    for (uint32_t i = 0; i < header->count; i++) {
        const unsigned char *bytes = header->index + 16 * (size_t)i;

        if (read_number(bytes) != tag)
            continue;
        *entry = (struct header_entry){tag, read_number(bytes + 4), read_number(bytes + 8),
                                       read_number(bytes + 12)};
        return entry->offset < header->size && entry->count > 0;
    }
    return false;
}

/* The first string of a tag, or NULL. */
static const char *get_string(struct arena *arena, const struct header *header, uint32_t tag)
{
    struct header_entry entry;
    const char *text;
    size_t left;

    if (!find_entry(header, tag, &entry) ||
        (entry.type != TYPE_STRING && entry.type != TYPE_STRING_ARRAY && entry.type != TYPE_I18N))
        return NULL;
    text = (const char *)header->store + entry.offset;
    left = header->size - entry.offset;
    if (memchr(text, '\0', left) == NULL)
        return NULL;
    return arena_strndup(arena, text, strlen(text));
}

static bool get_number(const struct header *header, uint32_t tag, uint32_t *number)
{
    struct header_entry entry;

    if (!find_entry(header, tag, &entry) || entry.type != TYPE_INT32 ||
        header->size - entry.offset < sizeof(*number))
        return false;
    *number = read_number(header->store + entry.offset);
    return true;
}

/* "bash-5.1.8-6.el9.src.rpm" -> "bash" and "5.1.8-6.el9" */
static void split_source(struct arena *arena, const char *file, struct package *package)
{
    size_t length = file != NULL ? strlen(file) : 0;
    size_t end;
    size_t dash;

    if (length < 9 || strcmp(file + length - 8, ".src.rpm") != 0)
        return;
    end = length - 8;
    for (dash = end; dash > 0 && file[dash - 1] != '-'; dash--)
        continue;
    for (dash = dash > 0 ? dash - 1 : 0; dash > 0 && file[dash - 1] != '-'; dash--)
        continue;
    if (dash < 2)
        return;
    package->source = arena_strndup(arena, file, dash - 1);
    package->source_version = arena_strndup(arena, file + dash, end - dash);
}

int packages_parse_rpm_header(struct packages *packages, const unsigned char *bytes, size_t length,
                              struct error *err)
{
    struct arena *arena = &packages->arena;
    struct header header;
    struct package *package;
    const char *name;
    const char *version;
    const char *release;
    uint32_t epoch = 0;

    if (!open_header(&header, bytes, length))
        return error_set(err, ERROR_CORRUPT, EBADMSG, "rpm: a header that is none");
    name = get_string(arena, &header, TAG_NAME);
    version = get_string(arena, &header, TAG_VERSION);
    release = get_string(arena, &header, TAG_RELEASE);
    if (name == NULL || version == NULL || release == NULL)
        return error_set(err, ERROR_CORRUPT, EBADMSG, "rpm: a header without name and version");
    /* Keys that packages are verified with are kept like packages. */
    if (strcmp(name, "gpg-pubkey") == 0)
        return 0;
    package = packages_add(packages, err);
    if (package == NULL)
        return -E2BIG;
    package->kind = PACKAGE_RPM;
    package->name = name;
    package->version = get_number(&header, TAG_EPOCH, &epoch) && epoch > 0
                           ? arena_printf(arena, "%u:%s-%s", epoch, version, release)
                           : arena_printf(arena, "%s-%s", version, release);
    package->architecture = get_string(arena, &header, TAG_ARCHITECTURE);
    package->license = get_string(arena, &header, TAG_LICENSE);
    package->supplier = get_string(arena, &header, TAG_VENDOR);
    split_source(arena, get_string(arena, &header, TAG_SOURCE), package);
    return 0;
}

static int read_rows(struct packages *packages, sqlite3_stmt *statement, struct error *err)
{
    int result = 0;
    int code = SQLITE_DONE;

    while (result == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        const void *blob = sqlite3_column_blob(statement, 0);
        int length = sqlite3_column_bytes(statement, 0);

        if (blob != NULL && length > 0)
            result = packages_parse_rpm_header(packages, blob, (size_t)length, err);
    }
    if (result == 0 && code != SQLITE_DONE)
        result = error_set(err, ERROR_CORRUPT, EBADMSG, "rpm: the database cannot be read: %s",
                           sqlite3_errstr(code));
    return result;
}

/* The file is a stranger's: turns off what a database's own schema could make sqlite do. */
static void distrust(sqlite3 *database)
{
    sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_exec(database, "PRAGMA cell_size_check = ON", NULL, NULL, NULL);
}

/* "immutable": without locks and journals, which would be files beside it. */
int packages_read_rpm(struct packages *packages, const char *path, struct error *err)
{
    cleanup_free char *uri = memory_printf("file:%s?immutable=1", path);
    sqlite3_stmt *statement = NULL;
    sqlite3 *database = NULL;
    int code = sqlite3_open_v2(uri, &database, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    int result;

    if (code == SQLITE_OK) {
        distrust(database);
        code = sqlite3_prepare_v2(database, "SELECT blob FROM Packages ORDER BY hnum", -1,
                                  &statement, NULL);
    }
    result = code == SQLITE_OK
                 ? read_rows(packages, statement, err)
                 : error_set(err, ERROR_CORRUPT, EBADMSG, "%s: %s", path, sqlite3_errstr(code));
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return result;
}
