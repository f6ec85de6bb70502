/* Packages: see packages.h. dpkg's status and apk's installed are text in paragraphs. */
#include "packages.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"

struct line {
    const char *text;
    size_t length;
};

/* The next line, without its end; false at the end of the text. */
static bool next_line(const char **text, size_t *left, struct line *line)
{
    const char *newline = memchr(*text, '\n', *left);
    size_t length = newline != NULL ? (size_t)(newline - *text) : *left;

    if (*left == 0)
        return false;
    *line = (struct line){*text, length};
    length += newline != NULL;
    *text += length;
    *left -= length;
    return true;
}

/* "Name: value" -> value, if that is its name. */
static const char *value_of(struct arena *arena, const struct line *line, const char *name)
{
    size_t length = strlen(name);
    const char *value = line->text + length;
    const char *end = line->text + line->length;

    if (line->length < length || memcmp(line->text, name, length) != 0)
        return NULL;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    return arena_strndup(arena, value, (size_t)(end - value));
}

static void set_field_once(struct arena *arena, const struct line *line, const char *name,
                           const char **target)
{
    const char *value = value_of(arena, line, name);

    if (value != NULL && *target == NULL && value[0] != '\0')
        *target = value;
}

static int add_if_complete(struct packages *packages, const struct package *found,
                           struct error *err)
{
    struct package *package;

    if (found->name == NULL || found->version == NULL)
        return 0;
    package = packages_add(packages, err);
    if (package == NULL)
        return -E2BIG;
    *package = *found;
    return 0;
}

/* "name (version)" */
static void split_source(struct arena *arena, struct package *package)
{
    const char *parenthesis = package->source != NULL ? strstr(package->source, " (") : NULL;
    size_t length;

    if (parenthesis == NULL)
        return;
    length = strcspn(parenthesis + 2, ")");
    package->source_version = arena_strndup(arena, parenthesis + 2, length);
    package->source =
        arena_strndup(arena, package->source, (size_t)(parenthesis - package->source));
}

static int end_dpkg(struct packages *packages, struct package *package, const char *status,
                    struct error *err)
{
    bool is_installed = status == NULL || strstr(status, " installed") != NULL;

    split_source(&packages->arena, package);
    return is_installed ? add_if_complete(packages, package, err) : 0;
}

int packages_parse_dpkg(struct packages *packages, const char *text, size_t length,
                        struct error *err)
{
    static const struct package empty = {.kind = PACKAGE_DEB};
    struct arena *arena = &packages->arena;
    struct package package = empty;
    const char *status = NULL;
    struct line line;
    int result = 0;

    while (result == 0 && next_line(&text, &length, &line)) {
        if (line.length == 0) {
            result = end_dpkg(packages, &package, status, err);
            package = empty;
            status = NULL;
            continue;
        }
        set_field_once(arena, &line, "Package:", &package.name);
        set_field_once(arena, &line, "Version:", &package.version);
        set_field_once(arena, &line, "Architecture:", &package.architecture);
        set_field_once(arena, &line, "Source:", &package.source);
        set_field_once(arena, &line, "Maintainer:", &package.supplier);
        set_field_once(arena, &line, "Status:", &status);
    }
    return result == 0 ? end_dpkg(packages, &package, status, err) : result;
}

int packages_parse_apk(struct packages *packages, const char *text, size_t length,
                       struct error *err)
{
    static const struct package empty = {.kind = PACKAGE_APK};
    struct arena *arena = &packages->arena;
    struct package package = empty;
    struct line line;
    int result = 0;

    while (result == 0 && next_line(&text, &length, &line)) {
        if (line.length == 0) {
            result = add_if_complete(packages, &package, err);
            package = empty;
            continue;
        }
        set_field_once(arena, &line, "P:", &package.name);
        set_field_once(arena, &line, "V:", &package.version);
        set_field_once(arena, &line, "A:", &package.architecture);
        set_field_once(arena, &line, "o:", &package.source);
        set_field_once(arena, &line, "L:", &package.license);
        set_field_once(arena, &line, "m:", &package.supplier);
    }
    return result == 0 ? add_if_complete(packages, &package, err) : result;
}

static void set_quoted(struct arena *arena, const struct line *line, const char *name,
                       const char **target)
{
    const char *value = value_of(arena, line, name);
    size_t length = value != NULL ? strlen(value) : 0;

    if (value == NULL)
        return;
    if (length >= 2 && (value[0] == '"' || value[0] == '\'') && value[length - 1] == value[0])
        value = arena_strndup(arena, value + 1, length - 2);
    *target = value;
}

void packages_parse_os_release(struct packages *packages, const char *text, size_t length)
{
    struct line line;

    while (next_line(&text, &length, &line)) {
        set_quoted(&packages->arena, &line, "ID=", &packages->os_id);
        set_quoted(&packages->arena, &line, "VERSION_ID=", &packages->os_version);
        set_quoted(&packages->arena, &line, "PRETTY_NAME=", &packages->os_name);
    }
}

static bool is_file(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* Nothing but a file is read; -ENOENT if there is none. */
static int read_text(const char *path, struct buffer *text, struct error *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    int result;

    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        return -ENOENT;
    result = file_read_fd(fd, PACKAGE_FILE_MAX, text);
    return result < 0 ? error_errno(err, -result, "%s", path) : 0;
}

static int read_with(struct packages *packages, const char *path,
                     int (*parse)(struct packages *packages, const char *text, size_t length,
                                  struct error *err),
                     struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    int result = read_text(path, &text, err);

    if (result == 0)
        result = parse(packages, buffer_text(&text), text.length, err);
    else if (result == -ENOENT)
        return 0;
    return result < 0 ? error_prefix(err, "%s", path) : 0;
}

/* Images without dpkg itself ("distroless") have a file here for each package. */
static int read_dpkg_directory(struct packages *packages, const char *path, struct error *err)
{
    cleanup_dir DIR *dir = opendir(path);
    struct dirent *entry;
    int result = 0;

    while (result == 0 && dir != NULL && (entry = readdir(dir)) != NULL) {
        cleanup_free char *file = memory_printf("%s/%s", path, entry->d_name);

        if (entry->d_name[0] != '.' && strstr(entry->d_name, ".md5sums") == NULL)
            result = read_with(packages, file, packages_parse_dpkg, err);
    }
    return result;
}

static int read_rpm(struct packages *packages, struct error *err)
{
    static const char *const readable[] = {"/usr/lib/sysimage/rpm/rpmdb.sqlite",
                                           "/var/lib/rpm/rpmdb.sqlite"};
    static const char *const unreadable[] = {"/usr/lib/sysimage/rpm/Packages.db",
                                             "/usr/lib/sysimage/rpm/Packages",
                                             "/var/lib/rpm/Packages.db", "/var/lib/rpm/Packages"};

    /* One path is often a link to the other. */
    for (size_t i = 0; i < ARRAY_SIZE(readable); i++) {
        if (is_file(readable[i]))
            return packages_read_rpm(packages, readable[i], err);
    }
    for (size_t i = 0; i < ARRAY_SIZE(unreadable); i++) {
        if (is_file(unreadable[i]))
            return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                             "%s: an rpm database of this kind cannot be read, only sqlite's",
                             unreadable[i]);
    }
    return 0;
}

static void read_os_release(struct packages *packages)
{
    cleanup_buffer struct buffer text = {0};

    if (read_text("/etc/os-release", &text, NULL) == 0 ||
        read_text("/usr/lib/os-release", &text, NULL) == 0)
        packages_parse_os_release(packages, buffer_text(&text), text.length);
}

int packages_read(struct packages *packages, struct error *err)
{
    int result;

    read_os_release(packages);
    result = read_with(packages, "/var/lib/dpkg/status", packages_parse_dpkg, err);
    if (result == 0)
        result = read_dpkg_directory(packages, "/var/lib/dpkg/status.d", err);
    if (result == 0)
        result = read_with(packages,
                           is_file("/usr/lib/apk/db/installed") ? "/usr/lib/apk/db/installed"
                                                                : "/lib/apk/db/installed",
                           packages_parse_apk, err);
    return result == 0 ? read_rpm(packages, err) : result;
}
