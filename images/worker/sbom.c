/*
 * The bill of materials of an image: its packages as an SPDX 2.3 document
 * (spdx.github.io/spdx-spec). A child reads the databases and writes the document; it has the image
 * as its "/", read-only, and few system calls.
 */
#include <string.h>

#include "base/buffer.h"
#include "base/build.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/http.h"
#include "packages.h"
#include "worker.h"

#define UNKNOWN "NOASSERTION"

struct sbom {
    struct json_writer *writer;
    const struct sbom_job *job;
    const struct packages *packages;
};

static void add_qualifier(struct buffer *purl, char *separator, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    buffer_printf(purl, "%c%s=", *separator, name);
    http_encode(purl, value);
    *separator = '&';
}

static void append_purl(struct buffer *purl, const struct packages *packages,
                        const struct package *package)
{
    static const char *const types[] = {"deb", "apk", "rpm"};
    const char *os = packages->os_id != NULL ? packages->os_id : "linux";
    cleanup_free char *distribution =
        memory_printf("%s-%s", os, packages->os_version != NULL ? packages->os_version : "");
    cleanup_free char *upstream =
        package->source == NULL ? NULL
        : package->source_version == NULL
            ? memory_strdup(package->source)
            : memory_printf("%s@%s", package->source, package->source_version);
    char separator = '?';

    buffer_printf(purl, "pkg:%s/", types[package->kind]);
    http_encode(purl, os);
    buffer_append_string(purl, "/");
    http_encode(purl, package->name);
    buffer_append_string(purl, "@");
    http_encode(purl, package->version);
    add_qualifier(purl, &separator, "arch", package->architecture);
    add_qualifier(purl, &separator, "distro", packages->os_version != NULL ? distribution : NULL);
    add_qualifier(purl, &separator, "upstream", upstream);
}

static void write_reference(struct sbom *sbom, const char *purl)
{
    json_key(sbom->writer, "externalRefs");
    json_array_open(sbom->writer);
    json_object_open(sbom->writer);
    json_member_string(sbom->writer, "referenceCategory", "PACKAGE-MANAGER");
    json_member_string(sbom->writer, "referenceType", "purl");
    json_member_string(sbom->writer, "referenceLocator", purl);
    json_object_close(sbom->writer);
    json_array_close(sbom->writer);
}

/* What databases hold as a licence is rarely an SPDX expression; it is passed on as words. */
static void write_common(struct sbom *sbom, const char *license)
{
    json_member_string(sbom->writer, "downloadLocation", UNKNOWN);
    json_member_boolean(sbom->writer, "filesAnalyzed", false);
    json_member_string(sbom->writer, "licenseConcluded", UNKNOWN);
    json_member_string(sbom->writer, "licenseDeclared", UNKNOWN);
    if (license != NULL)
        json_member_string(sbom->writer, "licenseComments", license);
    json_member_string(sbom->writer, "copyrightText", UNKNOWN);
}

static void write_image(struct sbom *sbom)
{
    json_object_open(sbom->writer);
    json_member_string(sbom->writer, "SPDXID", "SPDXRef-Image");
    json_member_string(sbom->writer, "name", sbom->job->name);
    json_member_string(sbom->writer, "versionInfo", sbom->job->digest);
    json_member_string(sbom->writer, "primaryPackagePurpose", "CONTAINER");
    if (sbom->packages->os_name != NULL)
        json_member_string(sbom->writer, "comment", sbom->packages->os_name);
    write_common(sbom, NULL);
    json_object_close(sbom->writer);
}

static void write_package(struct sbom *sbom, size_t number)
{
    const struct package *package = &sbom->packages->list.items[number];
    cleanup_free char *id = memory_printf("SPDXRef-Package-%zu", number + 1);
    cleanup_free char *supplier =
        memory_printf("Organization: %s", package->supplier != NULL ? package->supplier : "");
    cleanup_buffer struct buffer purl = {0};

    append_purl(&purl, sbom->packages, package);
    json_object_open(sbom->writer);
    json_member_string(sbom->writer, "SPDXID", id);
    json_member_string(sbom->writer, "name", package->name);
    json_member_string(sbom->writer, "versionInfo", package->version);
    json_member_string(sbom->writer, "supplier", package->supplier != NULL ? supplier : UNKNOWN);
    if (package->source != NULL) {
        cleanup_free char *source = memory_printf(
            "built from: %s %s", package->source,
            package->source_version != NULL ? package->source_version : package->version);

        json_member_string(sbom->writer, "sourceInfo", source);
    }
    write_common(sbom, package->license);
    write_reference(sbom, buffer_text(&purl));
    json_object_close(sbom->writer);
}

static void write_relationship(struct sbom *sbom, const char *from, const char *type,
                               const char *to)
{
    json_object_open(sbom->writer);
    json_member_string(sbom->writer, "spdxElementId", from);
    json_member_string(sbom->writer, "relationshipType", type);
    json_member_string(sbom->writer, "relatedSpdxElement", to);
    json_object_close(sbom->writer);
}

static void write_head(struct sbom *sbom)
{
    cleanup_free char *space = memory_printf("https://spdx.org/spdxdocs/davit/%s/%s",
                                             sbom->job->digest, sbom->job->created);
    cleanup_free char *tool = memory_printf("Tool: davit-%s", davit_version);

    json_member_string(sbom->writer, "spdxVersion", "SPDX-2.3");
    json_member_string(sbom->writer, "dataLicense", "CC0-1.0");
    json_member_string(sbom->writer, "SPDXID", "SPDXRef-DOCUMENT");
    json_member_string(sbom->writer, "name", sbom->job->name);
    json_member_string(sbom->writer, "documentNamespace", space);
    json_key(sbom->writer, "creationInfo");
    json_object_open(sbom->writer);
    json_member_string(sbom->writer, "created", sbom->job->created);
    json_key(sbom->writer, "creators");
    json_array_open(sbom->writer);
    json_string(sbom->writer, tool);
    json_array_close(sbom->writer);
    json_object_close(sbom->writer);
}

static void write_document(struct sbom *sbom)
{
    json_object_open(sbom->writer);
    write_head(sbom);
    json_key(sbom->writer, "packages");
    json_array_open(sbom->writer);
    write_image(sbom);
    for (size_t i = 0; i < sbom->packages->list.count; i++)
        write_package(sbom, i);
    json_array_close(sbom->writer);
    json_key(sbom->writer, "relationships");
    json_array_open(sbom->writer);
    write_relationship(sbom, "SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Image");
    for (size_t i = 0; i < sbom->packages->list.count; i++) {
        cleanup_free char *id = memory_printf("SPDXRef-Package-%zu", i + 1);

        write_relationship(sbom, "SPDXRef-Image", "CONTAINS", id);
    }
    json_array_close(sbom->writer);
    json_object_close(sbom->writer);
}

static int write_sbom(int root_fd, int out_fd, const struct sbom_job *job, struct error *err)
{
    struct sbom sbom = {.job = job};
    struct packages packages = {0};
    const char *text;
    int result = sandbox_enter_reader(root_fd, err);

    if (result == 0)
        result = packages_read(&packages, err);
    if (result < 0)
        return result;
    sbom.packages = &packages;
    sbom.writer = json_writer_new(false);
    write_document(&sbom);
    text = json_writer_text(sbom.writer);
    result = file_write_fd(out_fd, text, strlen(text));
    json_writer_free(sbom.writer);
    packages_release(&packages);
    return result < 0 ? error_errno(err, -result, "write the document") : 0;
}

int image_sbom(int store_fd, int out_fd, const struct sbom_job *job, struct error *err)
{
    cleanup_close int root_fd = overlay_view(store_fd, &job->layers, -1, err);
    struct child_outcome outcome = {0};
    struct child child;
    pid_t pid;

    if (root_fd < 0)
        return root_fd;
    pid = child_fork(&child, (int *const[]){&root_fd, &out_fd}, 2, err);
    if (pid == 0) {
        write_sbom(root_fd, out_fd, job, &outcome.error);
        child_exit(&child, &outcome);
    }
    return pid < 0 ? (int)pid : child_await(&child, &outcome, err);
}
