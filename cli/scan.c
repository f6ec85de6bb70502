/* scan: looks for the packages of an image among vulnerabilities in OSV's format
 * (ossf.github.io/osv-schema), which lie in a directory as files. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "cli.h"
#include "options.h"
#include "versions.h"

#define FILE_MAX (64 << 20)
#define DEPTH_MAX 4
#define EXIT_VULNERABLE 2

/* An installed package, and the source package it was built from, which vulnerabilities name. */
struct installed {
    const char *name;
    const char *version;
    const char *source;
    const char *source_version;
    const char *type;    /* "deb", "apk", "rpm" */
    const char *os;      /* "debian" */
    const char *release; /* "12"; NULL: unknown */
};

struct finding {
    const struct installed *package;
    const char *id;
    const char *summary;
    const char *fixed; /* NULL: not yet */
};

struct scan {
    struct installed *packages; /* sorted by source */
    size_t package_count;
    struct finding *findings;
    size_t finding_count;
    size_t file_count;
    struct arena arena;
    struct error *err;
};

/* The text up to any of `ends`, with %XX decoded. */
static const char *cut(struct arena *arena, const char *text, const char *ends)
{
    char *copy = arena_strndup(arena, text, strcspn(text, ends));

    return http_decode(copy, false) ? copy : "";
}

static const char *qualifier(struct arena *arena, const char *purl, const char *name)
{
    const char *found = strchr(purl, '?');
    size_t length = strlen(name);

    while (found != NULL) {
        found++;
        if (strncmp(found, name, length) == 0 && found[length] == '=')
            return cut(arena, found + length + 1, "&#");
        found = strchr(found, '&');
    }
    return NULL;
}

/* "pkg:deb/debian/bash@5.2?arch=amd64&distro=debian-12&upstream=bash%405.2" */
static bool read_purl(struct scan *scan, const char *purl, struct installed *package)
{
    const char *slash = strchr(purl, '/');
    const char *second = slash != NULL ? strchr(slash + 1, '/') : NULL;
    const char *at = second != NULL ? strchr(second, '@') : NULL;
    const char *distribution = qualifier(&scan->arena, purl, "distro");
    const char *upstream = qualifier(&scan->arena, purl, "upstream");
    const char *source_at;

    if (strncmp(purl, "pkg:", 4) != 0 || at == NULL)
        return false;
    package->type = cut(&scan->arena, purl + 4, "/");
    package->os = cut(&scan->arena, slash + 1, "/");
    package->name = cut(&scan->arena, second + 1, "@");
    package->version = cut(&scan->arena, at + 1, "?#");
    if (distribution != NULL && strrchr(distribution, '-') != NULL)
        package->release = strrchr(distribution, '-') + 1;
    package->source = package->name;
    package->source_version = package->version;
    source_at = upstream != NULL ? strchr(upstream, '@') : NULL;
    if (upstream != NULL)
        package->source = source_at != NULL ? arena_strndup(&scan->arena, upstream,
                                                            (size_t)(source_at - upstream))
                                            : upstream;
    if (source_at != NULL)
        package->source_version = source_at + 1;
    return true;
}

static int by_source(const void *left, const void *right)
{
    const struct installed *one = left;
    const struct installed *other = right;

    return strcmp(one->source, other->source);
}

static void read_packages(struct scan *scan, const struct json *document)
{
    const struct json *packages = json_get(document, "packages");

    scan->packages =
        memory_new(packages != NULL ? packages->count + 1 : 1, sizeof(*scan->packages));
    for (size_t i = 0; packages != NULL && i < packages->count; i++) {
        const struct json *references = json_get(&packages->items[i], "externalRefs");

        for (size_t j = 0; references != NULL && j < references->count; j++) {
            const char *purl = json_get_string(&references->items[j], "referenceLocator");

            if (purl != NULL && read_purl(scan, purl, &scan->packages[scan->package_count]))
                scan->package_count++;
        }
    }
    qsort(scan->packages, scan->package_count, sizeof(*scan->packages), by_source);
}

static int compare(const struct installed *package, const char *left, const char *right)
{
    if (strcmp(package->type, "deb") == 0)
        return version_compare_deb(left, right);
    if (strcmp(package->type, "apk") == 0)
        return version_compare_apk(left, right);
    return version_compare_rpm(left, right);
}

/* "Debian:12", "Alpine:v3.18", "Ubuntu:22.04:LTS", "Rocky Linux:9": the system, and which of its
 * releases; without one it is for all. */
static bool is_ecosystem_of(const struct installed *package, const char *ecosystem)
{
    static const char *const names[][2] = {
        {"debian", "Debian"},          {"ubuntu", "Ubuntu"},       {"alpine", "Alpine"},
        {"rocky", "Rocky Linux"},      {"almalinux", "AlmaLinux"}, {"rhel", "Red Hat"},
        {"opensuse-leap", "openSUSE"}, {"sles", "SUSE"},           {"mageia", "Mageia"},
        {"openEuler", "openEuler"},    {"wolfi", "Wolfi"},         {"chainguard", "Chainguard"},
    };
    const char *name = NULL;
    const char *release;
    size_t length;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(names[i][0], package->os) == 0)
            name = names[i][1];
    }
    if (name == NULL || strncmp(ecosystem, name, strlen(name)) != 0)
        return false;
    release = ecosystem + strlen(name);
    if (*release == '\0')
        return true;
    if (*release != ':' || package->release == NULL)
        return false;
    release += release[1] == 'v' ? 2 : 1;
    length = strcspn(release, ":");
    return strncmp(package->release, release, length) == 0 &&
           (package->release[length] == '\0' || package->release[length] == '.');
}

/* Events in the order of their versions, as the schema has them: introduced, then fixed or the last
 * that is affected. "0" is before every version. */
static bool is_in_range(const struct installed *package, const struct json *range,
                        const char **fixed)
{
    const struct json *events = json_get(range, "events");
    const char *type = json_get_string(range, "type");
    bool is_affected = false;

    *fixed = NULL;
    if (type == NULL || strcmp(type, "ECOSYSTEM") != 0)
        return false;
    for (size_t i = 0; events != NULL && i < events->count; i++) {
        const char *introduced = json_get_string(&events->items[i], "introduced");
        const char *until = json_get_string(&events->items[i], "fixed");
        const char *last = json_get_string(&events->items[i], "last_affected");

        if (introduced != NULL && (strcmp(introduced, "0") == 0 ||
                                   compare(package, package->source_version, introduced) >= 0))
            is_affected = true;
        if (until != NULL && compare(package, package->source_version, until) >= 0)
            is_affected = false;
        else if (until != NULL && is_affected && *fixed == NULL)
            *fixed = until;
        if (last != NULL && compare(package, package->source_version, last) > 0)
            is_affected = false;
    }
    return is_affected;
}

static bool is_affected(const struct installed *package, const struct json *affected,
                        const char **fixed)
{
    const struct json *ranges = json_get(affected, "ranges");
    const struct json *versions = json_get(affected, "versions");

    for (size_t i = 0; ranges != NULL && i < ranges->count; i++) {
        if (is_in_range(package, &ranges->items[i], fixed))
            return true;
    }
    *fixed = NULL;
    for (size_t i = 0; versions != NULL && i < versions->count; i++) {
        if (versions->items[i].type == JSON_STRING &&
            strcmp(versions->items[i].text, package->source_version) == 0)
            return true;
    }
    return false;
}

static void add_finding(struct scan *scan, const struct json *entry,
                        const struct installed *package, const char *fixed)
{
    const char *id = json_get_string(entry, "id");
    const char *summary = json_get_string(entry, "summary");

    for (size_t i = 0; i < scan->finding_count; i++) {
        if (scan->findings[i].package == package && strcmp(scan->findings[i].id, id) == 0)
            return;
    }
    scan->findings =
        memory_resize(scan->findings, scan->finding_count + 1, sizeof(*scan->findings));
    scan->findings[scan->finding_count++] = (struct finding){
        .package = package,
        .id = arena_strdup(&scan->arena, id),
        .summary = summary != NULL ? arena_strdup(&scan->arena, summary) : "",
        .fixed = fixed != NULL ? arena_strdup(&scan->arena, fixed) : NULL,
    };
}

static void check_affected(struct scan *scan, const struct json *entry, const struct json *affected)
{
    const struct json *about = json_get(affected, "package");
    const char *ecosystem = about != NULL ? json_get_string(about, "ecosystem") : NULL;
    const struct installed key = {.source = about != NULL ? json_get_string(about, "name") : NULL};
    const struct installed *package;

    if (ecosystem == NULL || key.source == NULL)
        return;
    package = bsearch(&key, scan->packages, scan->package_count, sizeof(key), by_source);
    if (package == NULL)
        return;
    while (package > scan->packages && strcmp(package[-1].source, key.source) == 0)
        package--;
    for (;
         package < scan->packages + scan->package_count && strcmp(package->source, key.source) == 0;
         package++) {
        const char *fixed = NULL;

        if (is_ecosystem_of(package, ecosystem) && is_affected(package, affected, &fixed))
            add_finding(scan, entry, package, fixed);
    }
}

static int check_file(struct scan *scan, int directory_fd, const char *name)
{
    cleanup_arena struct arena arena = {0};
    cleanup_buffer struct buffer text = {0};
    const struct json *entry = NULL;
    const struct json *affected;
    int result = file_read(directory_fd, name, FILE_MAX, &text, scan->err);

    if (result == 0)
        result = json_parse(&arena, buffer_text(&text), text.length, &json_default_limits, &entry,
                            scan->err);
    if (result < 0)
        return error_prefix(scan->err, "%s", name);
    if (json_get_string(entry, "id") == NULL)
        return error_set(scan->err, ERROR_INVALID, EINVAL,
                         "%s: no vulnerability: \"id\" is missing", name);
    scan->file_count++;
    if (json_get(entry, "withdrawn") != NULL)
        return 0;
    affected = json_get(entry, "affected");
    for (size_t i = 0; affected != NULL && i < affected->count; i++)
        check_affected(scan, entry, &affected->items[i]);
    return 0;
}

static int check_directory(struct scan *scan, int directory_fd, int depth)
{
    cleanup_dir DIR *dir = path_list(directory_fd, ".");
    struct dirent *entry;
    int result = 0;

    if (dir == NULL)
        return error_errno(scan->err, errno, "open the directory");
    while (result == 0 && (entry = readdir(dir)) != NULL) {
        size_t length = strlen(entry->d_name);

        if (entry->d_name[0] == '.')
            continue;
        if (entry->d_type == DT_DIR && depth < DEPTH_MAX) {
            cleanup_close int fd =
                openat(directory_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

            result = fd < 0 ? error_errno(scan->err, errno, "%s", entry->d_name)
                            : check_directory(scan, fd, depth + 1);
        } else if (length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0) {
            result = check_file(scan, directory_fd, entry->d_name);
        }
    }
    return result;
}

static int check_all(struct scan *scan, const char *directory)
{
    cleanup_close int directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = directory_fd < 0 ? error_errno(scan->err, errno, "open")
                                  : check_directory(scan, directory_fd, 0);

    if (result == 0 && scan->file_count == 0)
        result =
            error_set(scan->err, ERROR_NOT_FOUND, ENOENT, "no file NAME.json with a vulnerability");
    return result < 0 ? error_prefix(scan->err, "%s", directory) : 0;
}

static int by_package(const void *left, const void *right)
{
    const struct finding *one = left;
    const struct finding *other = right;
    int order = strcmp(one->package->name, other->package->name);

    return order != 0 ? order : strcmp(one->id, other->id);
}

static void print_json(const struct scan *scan)
{
    struct json_writer *writer = json_writer_new(false);

    json_array_open(writer);
    for (size_t i = 0; i < scan->finding_count; i++) {
        const struct finding *finding = &scan->findings[i];

        json_object_open(writer);
        json_member_string(writer, "id", finding->id);
        json_member_string(writer, "package", finding->package->name);
        json_member_string(writer, "version", finding->package->version);
        json_member_string(writer, "source", finding->package->source);
        json_member_string(writer, "fixed", finding->fixed);
        json_member_string(writer, "summary", finding->summary);
        json_object_close(writer);
    }
    json_array_close(writer);
    puts(json_writer_text(writer));
    json_writer_free(writer);
}

static void print_table(const struct scan *scan)
{
    if (scan->finding_count > 0)
        printf("%-24s %-24s %-24s %-20s %s\n", "PACKAGE", "VERSION", "FIXED IN", "VULNERABILITY",
               "SUMMARY");
    for (size_t i = 0; i < scan->finding_count; i++) {
        const struct finding *finding = &scan->findings[i];

        printf("%-24s %-24s %-24s %-20s ", finding->package->name, finding->package->version,
               finding->fixed != NULL ? finding->fixed : "-", finding->id);
        cli_print_text(finding->summary);
        putchar('\n');
    }
    fprintf(stderr, "%zu packages, %zu vulnerabilities in the list, %zu found\n",
            scan->package_count, scan->file_count, scan->finding_count);
}

static int fetch_packages(struct cli *cli, const char *image, struct scan *scan)
{
    cleanup_arena struct arena arena = {0};
    cleanup_free char *path = client_path("/davit/v1/images/", image, "/sbom");
    const struct json *document;
    int result = client_call_json(&cli->client, "GET", path, NULL, &arena, &document, &cli->err);

    if (result == 0)
        read_packages(scan, document);
    return result;
}

struct scan_options {
    const char *directory;
    bool is_json;
};

int cli_scan(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"db", 0, OPTION_TEXT, "DIRECTORY", .offset = offsetof(struct scan_options, directory),
         .help = "the vulnerabilities that are known, as OSV files"},
        {"format", 0, OPTION_READ, "json", .offset = offsetof(struct scan_options, is_json),
         .read = option_read_json, .help = "print JSON"},
        {0},
    };
    struct scan scan = {.err = &cli->err};
    struct scan_options options = {0};
    const struct option_set set = {.tables = {{rows, NULL}}, .usage = "IMAGE", .values = &options};
    int result = options_read(cli, argc, argv, &set);

    if (result < 0)
        return result;
    if (options.directory == NULL)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "scan: --db DIRECTORY is expected: the vulnerabilities that are known");
    result = fetch_packages(cli, argv[optind], &scan);
    if (result == 0)
        result = check_all(&scan, options.directory);
    if (result == 0) {
        if (scan.finding_count > 0)
            qsort(scan.findings, scan.finding_count, sizeof(*scan.findings), by_package);
        if (options.is_json)
            print_json(&scan);
        else
            print_table(&scan);
        result = scan.finding_count > 0 ? EXIT_VULNERABLE : 0;
    }
    free(scan.packages);
    free(scan.findings);
    arena_release(&scan.arena);
    return result;
}
